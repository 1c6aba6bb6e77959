package readiness

import (
	"encoding/json"
	"strings"

	"github.com/polyarch/polyarch/internal/affinity"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// Nodes are what is known of the cluster's nodes. The zero value is nothing.
type Nodes struct {
	Platforms platform.List // that the cluster has, if somebody said so
	Taints    []pod.Taint   // that it has
	all       []node
}

type node struct {
	pod.Node
	platform    platform.Platform
	taints      []pod.Taint
	allocatable Resources
}

// Add takes a Node, as JSON in which every scalar is a string. One without a
// platform is left out.
func (n *Nodes) Add(b []byte) error {
	var o struct {
		Metadata loose[struct {
			Name   loose[string]
			Labels loose[map[string]loose[string]]
		}]
		Spec loose[struct {
			Taints loose[[]loose[struct{ Key, Value, Effect loose[string] }]]
		}]
		Status loose[struct {
			Allocatable loose[map[string]loose[string]]
			NodeInfo    loose[struct{ OperatingSystem, Architecture loose[string] }]
		}]
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	labels := map[string]string{}
	for k, v := range o.Metadata.v.Labels.v {
		labels[k] = v.v
	}
	info := o.Status.v.NodeInfo.v
	os, arch := labels[affinity.LabelOS], labels[affinity.LabelArch]
	if os == "" || arch == "" {
		os, arch = info.OperatingSystem.v, info.Architecture.v
	}
	p, err := platform.FromConfig(os, arch, "")
	if err != nil {
		return nil
	}
	one := node{Node: pod.Node{Name: o.Metadata.v.Name.v, Labels: labels}, platform: p}
	for _, t := range o.Spec.v.Taints.v {
		one.taints = append(one.taints, pod.Taint{Key: t.v.Key.v, Value: t.v.Value.v, Effect: t.v.Effect.v})
	}
	one.allocatable = Resources{quantity(o.Status.v.Allocatable.v["cpu"].v), quantity(o.Status.v.Allocatable.v["memory"].v)}
	n.all = append(n.all, one)
	return nil
}

// Known reports whether anything is known.
func (n *Nodes) Known() bool { return len(n.Platforms)+len(n.all) > 0 }

// Has returns the platforms that there are nodes of.
func (n *Nodes) Has() platform.List {
	ps := append([]platform.Platform{}, n.Platforms...)
	for _, one := range n.all {
		ps = append(ps, one.platform)
	}
	return platform.NewList(ps...).Nodes()
}

// momentary is the prefix of taints that say how a node is at the moment.
const momentary = "node.kubernetes.io/"

// takes looks for a node of a platform that takes the workload as it is. If
// there is none, rule is what of the workload's own, or of the nodes, keeps it
// off the first of them, and size says that its Pods are too large.
func (n *Nodes) takes(w *Workload, p platform.Platform) (name, rule, size string) {
	spec := w.Spec
	if w.Placed {
		spec.NodeName = ""
	}
	for _, one := range n.all {
		if one.platform != p.Node() {
			continue
		}
		m, t, r := spec.Mismatch(one.Node), untolerated(spec.Tolerations, one.taints), w.Requests
		switch {
		case m != "" && rule == "":
			rule = "its own rules: node " + one.Name + " is " + m
		case m != "":
		case t != "" && rule == "":
			rule = "taint " + t + " of node " + one.Name
		case t != "":
		case r.Cores <= one.allocatable.Cores && r.Memory <= one.allocatable.Memory:
			return one.Name, "", ""
		default:
			size = "a Pod requests " + short(r.Cores) + " cores and " + short(r.GiB()) + " GiB, and node " + one.Name + " has " + short(one.allocatable.Cores) + " and " + short(one.allocatable.GiB())
		}
	}
	if size != "" { // its rules let it there
		return "", "", size
	}
	return "", rule, ""
}

// untolerated returns the first taint that repels, except those of the moment.
func untolerated(have []pod.Toleration, taints []pod.Taint) string {
	for _, t := range taints {
		ofMoment := strings.HasPrefix(t.Key, momentary) && t.Key != affinity.TaintOS
		if t.Repels() && !ofMoment && !t.ToleratedBy(have) {
			return t.String()
		}
	}
	return ""
}

// platformTaint returns the taint of --taints that says, by its key, that it is
// of the platform's nodes, and that the workload does not tolerate.
func (n *Nodes) platformTaint(w *Workload, p platform.Platform) string {
	for _, t := range n.Taints {
		if t.Key == affinity.LabelArch && t.Value == p.Arch || (t.Key == affinity.LabelOS || t.Key == affinity.TaintOS) && t.Value == p.OS {
			if s := untolerated(w.Spec.Tolerations, []pod.Taint{t}); s != "" {
				return s
			}
		}
	}
	return ""
}
