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
	ReadyOnly   bool      // leave out nodes that are not ready, or short of something
	Workload    *Workload // what is to run there; nil for anything
}

const (
	leftVirtual  = "virtual"
	leftCordoned = "cordoned"
)

// A verdict is what a Filter says about one node.
type verdict struct {
	platform    platform.Platform
	leftOut     string      // why the node does not take the workload; empty if it does
	notes       []string    // what is odd about a node that does
	taints      []pod.Taint // on the platform, which the workload has to tolerate
	allocatable Resources
	levels      []string // of x86-64, which the labels say
}

// selects reports whether the node is among those that are asked about.
func (f *Filter) selects(n *Node) bool {
	return f.Selector == nil || f.Selector.Matches(labels.Set(n.Labels))
}

// judge returns the verdict on a node.
func (f *Filter) judge(n *Node) verdict {
	p, labelled, err := n.platform()
	v := verdict{platform: p, allocatable: resourcesOf(n.Allocatable), levels: n.levels()}
	switch {
	case err != nil:
		v.leftOut = "without an architecture in labels and status"
		return v
	case n.virtual() && !f.takesVirtual():
		v.leftOut = leftVirtual
		return v
	}
	if v.leftOut = f.Workload.mismatch(n.Name, n.Labels, p); v.leftOut != "" {
		return v
	}
	if n.Unschedulable && !f.tolerated(pod.Taint{Key: cordonedTaint, Effect: "NoSchedule"}) {
		v.leftOut = leftCordoned
		return v
	}
	passing := f.repel(&v, n.Taints)
	if passing == "" && n.NotReady {
		passing = notReady
	}
	if v.leftOut != "" {
		return v
	}
	if v.leftOut = f.Workload.unfit(n.Allocatable); v.leftOut != "" {
		return v
	}
	switch {
	case f.ReadyOnly && passing != "":
		v.leftOut = passing
	case passing != "":
		v.notes = []string{passing}
	case !labelled:
		v.notes = []string{fmt.Sprintf("without the labels %s and %s, so that affinity finds none of them", osLabel, archLabel)}
	case n.contradicted(p):
		v.notes = []string{fmt.Sprintf("labelled so, while the kubelet reports %s/%s", n.OS, n.Arch)}
	}
	return v
}

// judgePool returns the verdict on the nodes that a pool makes.
func (f *Filter) judgePool(p *pool, m made) verdict {
	v := verdict{platform: m.platform, notes: p.notes}
	switch {
	case p.off != "":
		v.leftOut = p.off
	case m.off != "":
		v.leftOut = m.off
	default:
		v.leftOut = f.Workload.mismatchPool(p, m.platform)
	}
	if v.leftOut != "" {
		return v
	}
	f.repel(&v, p.taints)
	if v.leftOut == "" && p.capacity != nil {
		v.leftOut = f.Workload.unfit(p.capacity)
	}
	if m.note != "" {
		v.notes = append(slices.Clone(v.notes), m.note)
	}
	return v
}

// repel sets what taints mean for the workload: the first that keeps it off the
// node, and those on the platform, which never do. It returns what a taint that
// goes away by itself says about the node.
func (f *Filter) repel(v *verdict, taints []pod.Taint) (passes string) {
	for _, t := range taints {
		if !t.Repels() || f.tolerated(t) {
			continue
		}
		switch condition := passing(t.Key); {
		case ofPlatform(t.Key):
			v.taints = append(v.taints, t)
		case t.Key == cordonedTaint:
			v.leftOut = leftCordoned
			return ""
		case condition != "":
			passes = condition
		default:
			v.leftOut = "tainted " + t.String()
			return ""
		}
	}
	return passes
}

// takesVirtual reports whether the workload may go to virtual nodes: it does if
// it tolerates the taint that they have.
func (f *Filter) takesVirtual() bool {
	return slices.ContainsFunc(f.Tolerations, func(o pod.Toleration) bool { return o.Key == "" || o.Key == virtualTaint })
}

// tolerated reports whether a taint does not keep the workload away.
func (f *Filter) tolerated(t pod.Taint) bool {
	return t.ToleratedBy(f.Tolerations) ||
		f.Workload.placed() && t.Effect == "NoSchedule" ||
		t.Key == computeClassLabel && f.asksFor(computeClassLabel, t.Value)
}

// asksFor reports whether the workload goes only to nodes where a label has the
// value.
func (f *Filter) asksFor(label, value string) bool {
	one := func(r pod.Requirement) bool {
		return r.Key == label && r.Operator == "In" && len(r.Values) == 1 && r.Values[0] == value
	}
	return slices.ContainsFunc(requirementsOf(f.Selector), one) || f.Workload.asksFor(one)
}
