package cluster

import (
	"fmt"
	"slices"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// Labels that the kubelet sets on its node. They, not status.nodeInfo, are
// what a pod's affinity is compared with.
// https://kubernetes.io/docs/reference/labels-annotations-taints/
const (
	osLabel   = "kubernetes.io/os"
	archLabel = "kubernetes.io/arch"
)

// A Node is what matters of a v1 Node.
type Node struct {
	Name          string
	Labels        map[string]string
	Unschedulable bool // cordoned
	Taints        []pod.Taint
	NotReady      bool // the Ready condition is there and is not True

	// What the kubelet says about itself in status.nodeInfo, and has for pods.
	OS, Arch    string
	Allocatable map[string]quantity

	ClusterName, ClusterNamespace string // of Cluster API, if it made the node
}

// wireNode is a v1 Node, as JSON, without what does not matter here.
type wireNode struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`

		Annotations struct {
			ClusterName      string `json:"cluster.x-k8s.io/cluster-name"`
			ClusterNamespace string `json:"cluster.x-k8s.io/cluster-namespace"`
		} `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Unschedulable bool        `json:"unschedulable"`
		Taints        []pod.Taint `json:"taints"`
	} `json:"spec"`
	Status struct {
		Conditions []struct {
			Type   string `json:"type"`
			Status string `json:"status"`
		} `json:"conditions"`
		NodeInfo struct {
			OperatingSystem string `json:"operatingSystem"`
			Architecture    string `json:"architecture"`
		} `json:"nodeInfo"`
		Allocatable map[string]quantity `json:"allocatable"`
	} `json:"status"`
}

func (w *wireNode) node() Node {
	n := Node{
		Name: w.Metadata.Name, Labels: w.Metadata.Labels,
		Unschedulable: w.Spec.Unschedulable, Taints: w.Spec.Taints,
		OS: w.Status.NodeInfo.OperatingSystem, Arch: w.Status.NodeInfo.Architecture, Allocatable: w.Status.Allocatable,
		ClusterName: w.Metadata.Annotations.ClusterName, ClusterNamespace: w.Metadata.Annotations.ClusterNamespace,
	}
	for _, c := range w.Status.Conditions {
		if c.Type == "Ready" {
			n.NotReady = c.Status != "True"
		}
	}
	return n
}

// platform returns the node's platform by its labels, or, for a part that has no
// label, by what the kubelet reports; labelled reports which of the two it was.
func (n *Node) platform() (p platform.Platform, labelled bool, err error) {
	os, arch := n.Labels[osLabel], n.Labels[archLabel]
	labelled = os != "" && arch != ""
	if os == "" {
		os = n.OS
	}
	if arch == "" {
		arch = n.Arch
	}
	p, err = platform.FromConfig(os, arch, "")
	return p.Node(), labelled, err
}

// levels returns the x86-64 levels that the node has by its labels.
func (n *Node) levels() (levels []string) {
	for level := 1; level <= pod.MaxLevel; level++ {
		if n.Labels[pod.LevelLabel(level)] == "true" {
			levels = append(levels, fmt.Sprintf("v%d", level))
		}
	}
	return levels
}

// contradicted reports whether the kubelet reports another platform than the
// labels that p was read from.
func (n *Node) contradicted(p platform.Platform) bool {
	info, err := platform.FromConfig(n.OS, n.Arch, "")
	return err == nil && info.Node() != p
}

// virtual reports whether the node is a virtual kubelet: not a machine of any
// architecture, but a gateway to another service.
func (n *Node) virtual() bool {
	return n.Labels[virtualLabel] == virtualValue ||
		slices.ContainsFunc(n.Taints, func(t pod.Taint) bool { return t.Key == virtualTaint })
}
