package cluster

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// A Filter says which nodes take the workload.
type Filter struct {
	Selector    labels.Selector // nil for all nodes
	Tolerations []pod.Toleration
	ReadyOnly   bool // leave out nodes that are not ready, or short of something
}

const (
	leftVirtual  = "virtual"
	leftCordoned = "cordoned"
)

// A verdict is what a Filter says of one node.
type verdict struct {
	platform platform.Platform
	leftOut  string      // why the node does not take the workload; empty if it does
	note     string      // what is odd about a node that does
	taints   []pod.Taint // on the architecture, which the workload has to tolerate
}

// selects reports whether the node is among those that are asked about.
func (f *Filter) selects(n *Node) bool {
	return f.Selector == nil || f.Selector.Matches(labels.Set(n.Labels))
}

// judge gives the verdict on a node. An architecture's taint never bars a
// node: it is there so that only pods that are built for it come.
func (f *Filter) judge(n *Node) verdict {
	p, labelled, err := n.platform()
	v := verdict{platform: p}
	if err != nil {
		v.leftOut = "without an architecture in labels and status"
		return v
	}
	if n.virtual() && !f.takesVirtual() {
		v.leftOut = leftVirtual
		return v
	}
	if n.Unschedulable && !f.tolerated(pod.Taint{Key: cordonedTaint, Effect: "NoSchedule"}) {
		v.leftOut = leftCordoned
		return v
	}
	if n.NotReady {
		v.note = "not ready"
	}
	for _, t := range n.Taints {
		if !t.Repels() || f.tolerated(t) {
			continue
		}
		switch condition := conditionTaints[t.Key]; {
		case t.Key == archLabel:
			v.taints = append(v.taints, t)
		case t.Key == cordonedTaint:
			v.leftOut = leftCordoned
			return v
		case condition != "":
			v.note = condition
		default:
			v.leftOut = "tainted " + t.String()
			return v
		}
	}
	switch {
	case f.ReadyOnly && v.note != "":
		v.leftOut = v.note
	case v.note != "":
	case !labelled:
		v.note = fmt.Sprintf("without the labels %s and %s, so that affinity finds none of them", osLabel, archLabel)
	case n.contradicted(p):
		v.note = fmt.Sprintf("labelled so, while the kubelet reports %s/%s", n.OS, n.Arch)
	}
	return v
}

// takesVirtual reports whether the workload may go to virtual nodes: it does if
// it tolerates the taint that they have.
func (f *Filter) takesVirtual() bool {
	return slices.ContainsFunc(f.Tolerations, func(o pod.Toleration) bool { return o.Key == "" || o.Key == virtualTaint })
}

func (f *Filter) tolerated(t pod.Taint) bool {
	return slices.ContainsFunc(f.Tolerations, func(o pod.Toleration) bool { return o.Tolerates(t) })
}
