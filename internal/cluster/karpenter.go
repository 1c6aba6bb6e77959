package cluster

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/pod"
)

// nodePool is a Karpenter NodePool, v1 or v1beta1, less what is of no interest.
// https://karpenter.sh/docs/concepts/nodepools/
type nodePool struct {
	Metadata struct{ Name string }
	Spec     struct {
		Limits   map[string]any
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Requirements []requirement
				Taints       []pod.Taint // those of startupTaints go away by themselves
			}
		}
	}
	Status struct {
		Conditions []struct{ Type, Status string }
	}
}

type requirement struct {
	Key, Operator string
	Values        []string
}

// Labels of the time before kubernetes.io/os and kubernetes.io/arch, which
// Karpenter takes as the same.
var oldLabels = map[string]string{"beta.kubernetes.io/os": osLabel, "beta.kubernetes.io/arch": archLabel}

// karpenterValues are the platforms that Karpenter makes nodes of. The
// operating system of a pool that names none is that of its node class, linux
// but for those of Windows images.
var karpenterValues = map[string][]string{osLabel: {"linux", "windows"}, archLabel: {"amd64", "arm64"}}

func readNodePool(item []byte) (pool, error) {
	var np nodePool
	if err := json.Unmarshal(item, &np); err != nil {
		return pool{}, err
	}
	p := pool{
		name: "NodePool " + np.Metadata.Name, open: true, taints: np.Spec.Template.Spec.Taints,
		labels: map[string][]string{"karpenter.sh/nodepool": {np.Metadata.Name}},
	}
	for k, v := range np.Spec.Template.Metadata.Labels {
		p.labels[modern(k)] = []string{v}
	}
	for _, r := range np.Spec.Template.Spec.Requirements {
		if r.Operator == "In" {
			p.narrow(modern(r.Key), func(v string) bool { return slices.Contains(r.Values, v) }, r.Values)
		}
	}
	says := p.labels[archLabel] != nil
	for _, r := range np.Spec.Template.Spec.Requirements {
		k := modern(r.Key)
		says = says || k == archLabel
		switch r.Operator {
		case "NotIn":
			p.narrow(k, func(v string) bool { return !slices.Contains(r.Values, v) }, karpenterValues[k])
		case "DoesNotExist":
			p.labels[k] = []string{}
		}
	}
	if p.labels[osLabel] == nil {
		p.labels[osLabel] = []string{"linux"}
	}
	if p.labels[archLabel] == nil {
		p.labels[archLabel] = karpenterValues[archLabel]
	}
	if !says {
		p.unsure = "without a requirement on the architecture, counted for amd64 and arm64"
	}
	for _, resource := range []string{"cpu", "memory", "nodes"} {
		if l, ok := np.Spec.Limits[resource]; ok && zero(l) {
			p.off = "limited to no " + resource
		}
	}
	for _, c := range np.Status.Conditions {
		if c.Type == "Ready" && c.Status == "False" && p.off == "" {
			p.off = "not ready"
		}
	}
	return p, nil
}

// narrow keeps those values of a label that pass, of what is known of the
// label so far or else of all.
func (p *pool) narrow(label string, pass func(string) bool, all []string) {
	values, known := p.labels[label]
	if !known {
		if all == nil {
			return
		}
		values = all
	}
	p.labels[label] = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !pass(v) })
}

func modern(label string) string {
	if m, ok := oldLabels[label]; ok {
		return m
	}
	return label
}

// zero reports whether a resource quantity, a number or a string, is nothing.
func zero(quantity any) bool {
	switch q := quantity.(type) {
	case float64:
		return q == 0
	case string:
		return strings.Trim(q, "0.") == "" || strings.HasPrefix(q, "0") && strings.Trim(q, "0.EPTGMkinmu") == ""
	}
	return false
}
