package clustertest

import (
	"fmt"
	"strings"
)

// An Option changes a node.
type Option func(node map[string]any)

// Node makes a node as a kubelet registers it. An empty os or arch has no label.
func Node(name, os, arch string, options ...Option) map[string]any {
	labels := map[string]string{"kubernetes.io/hostname": name}
	if os != "" {
		labels["kubernetes.io/os"] = os
	}
	if arch != "" {
		labels["kubernetes.io/arch"] = arch
	}
	n := map[string]any{
		"metadata": map[string]any{"name": name, "labels": labels},
		"spec":     map[string]any{},
		"status": map[string]any{
			"conditions": []map[string]any{{"type": "Ready", "status": "True"}},
			"nodeInfo":   map[string]any{"operatingSystem": os, "architecture": arch},
		},
	}
	for _, o := range options {
		o(n)
	}
	return n
}

// Nodes makes n nodes.
func Nodes(n int, prefix, os, arch string, options ...Option) []map[string]any {
	var all []map[string]any
	for i := range n {
		all = append(all, Node(fmt.Sprintf("%s-%05d", prefix, i), os, arch, options...))
	}
	return all
}

// Label sets a label.
func Label(key, value string) Option { return func(n map[string]any) { Labels(n)[key] = value } }

// Cordoned is what kubectl cordon does: the field, and the taint that follows it.
func Cordoned(n map[string]any) {
	spec(n)["unschedulable"] = true
	Taint("node.kubernetes.io/unschedulable:NoSchedule")(n)
}

// Taint adds a taint, key=value:Effect.
func Taint(s string) Option {
	return func(n map[string]any) {
		rest, effect, _ := strings.Cut(s, ":")
		key, value, _ := strings.Cut(rest, "=")
		taints, _ := spec(n)["taints"].([]map[string]any)
		spec(n)["taints"] = append(taints, map[string]any{"key": key, "value": value, "effect": effect})
	}
}

// NotReady is a node whose kubelet stopped reporting.
func NotReady(n map[string]any) {
	n["status"].(map[string]any)["conditions"] = []map[string]any{{"type": "Ready", "status": "Unknown"}}
	Taint("node.kubernetes.io/unreachable:NoSchedule")(n)
	Taint("node.kubernetes.io/unreachable:NoExecute")(n)
}

// Reports sets what the kubelet says about itself in status.nodeInfo.
func Reports(os, arch string) Option {
	return func(n map[string]any) {
		n["status"].(map[string]any)["nodeInfo"] = map[string]any{"operatingSystem": os, "architecture": arch}
	}
}

// Full makes a node as long as a real one: 17 KB, most of it images.
func Full(n map[string]any) {
	var images []map[string]any
	for i := range 50 {
		images = append(images, map[string]any{"names": []string{
			fmt.Sprintf("registry.example.com/team/service-%02d@sha256:%064x", i, i),
			fmt.Sprintf("registry.example.com/team/service-%02d:v1.%d.0", i, i),
		}, "sizeBytes": 100000000 + i})
	}
	n["status"].(map[string]any)["images"] = images
	n["metadata"].(map[string]any)["annotations"] = map[string]string{"csi.volume.kubernetes.io/nodeid": strings.Repeat("x", 2000)}
}

func spec(n map[string]any) map[string]any { return n["spec"].(map[string]any) }
