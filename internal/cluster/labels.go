package cluster

import (
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/polyarch/polyarch/internal/pod"
)

// values is what is known about one label of nodes that do not exist yet.
type values struct {
	absent      bool     // a node may lack the label
	open        bool     // a node may have any value but those of not, within the bounds
	in          []string // if not open: the values that a node may have
	not         []string
	over, under *int64
}

func exactly(vs ...string) values { return values{in: vs} }

var (
	anyValue    = values{open: true}
	absent      = values{absent: true}
	unspecified = values{absent: true, open: true}
)

// and narrows the values to those that pass a requirement. Karpenter's Gte and
// Lte are among the operators.
func (v values) and(r pod.Requirement) values {
	switch r.Operator {
	case "In":
		keep := slices.DeleteFunc(slices.Clone(r.Values), func(s string) bool { return !v.allows(s) })
		return values{in: keep}
	case "NotIn":
		if v.open {
			v.not = slices.Concat(v.not, r.Values)
		}
		v.in = slices.DeleteFunc(slices.Clone(v.in), func(s string) bool { return slices.Contains(r.Values, s) })
		return v
	case "Exists":
		v.absent = false
		return v
	case "DoesNotExist":
		return values{absent: v.absent}
	case "Gt", "Lt", "Gte", "Lte":
		return v.bound(r)
	}
	return values{}
}

func (v values) bound(r pod.Requirement) values {
	if len(r.Values) != 1 {
		return values{}
	}
	n, err := strconv.ParseInt(r.Values[0], 10, 64)
	if err != nil {
		return values{}
	}
	v.absent = false
	switch r.Operator {
	case "Gte":
		n--
	case "Lte":
		n++
	}
	if r.Operator == "Gt" || r.Operator == "Gte" {
		if v.over == nil || n > *v.over {
			v.over = &n
		}
	} else if v.under == nil || n < *v.under {
		v.under = &n
	}
	v.in = slices.DeleteFunc(slices.Clone(v.in), func(s string) bool { return !v.within(s) })
	return v
}

// allows reports whether a node may have the value.
func (v values) allows(s string) bool {
	if !v.open {
		return slices.Contains(v.in, s)
	}
	return !slices.Contains(v.not, s) && v.within(s)
}

func (v values) within(s string) bool {
	if v.over == nil && v.under == nil {
		return true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && (v.over == nil || n > *v.over) && (v.under == nil || n < *v.under)
}

// possible reports whether there can be a node with such a label, or without it.
func (v values) possible() bool {
	if v.open && v.over != nil && v.under != nil && *v.under-*v.over < 2 {
		return v.absent
	}
	return v.absent || v.open || len(v.in) > 0
}

// oldLabels are former names of labels, which Kubernetes, Karpenter and cloud
// providers take as the same.
var oldLabels = map[string]string{
	"beta.kubernetes.io/os":                    osLabel,
	"beta.kubernetes.io/arch":                  archLabel,
	"beta.kubernetes.io/instance-type":         instanceLabel,
	"failure-domain.beta.kubernetes.io/zone":   "topology.kubernetes.io/zone",
	"failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}

func modern(label string) string {
	if m, ok := oldLabels[label]; ok {
		return m
	}
	return label
}

var operators = map[selection.Operator]string{
	selection.In: "In", selection.Equals: "In", selection.DoubleEquals: "In",
	selection.NotIn: "NotIn", selection.NotEquals: "NotIn",
	selection.Exists: "Exists", selection.DoesNotExist: "DoesNotExist",
	selection.GreaterThan: "Gt", selection.LessThan: "Lt",
}

// requirementsOf returns what a label selector asks for; nil selects all.
func requirementsOf(s labels.Selector) []pod.Requirement {
	if s == nil {
		return nil
	}
	var out []pod.Requirement
	rs, _ := s.Requirements()
	for _, r := range rs {
		out = append(out, pod.Requirement{Key: r.Key(), Operator: operators[r.Operator()], Values: r.Values().List()})
	}
	return out
}
