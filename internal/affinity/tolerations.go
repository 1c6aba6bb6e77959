package affinity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// ParseTaint reads KEY[=VALUE]:EFFECT, as detect-arch prints its taints and
// kubectl describe shows them.
func ParseTaint(s string) (pod.Taint, error) {
	rest, effect, _ := strings.Cut(s, ":")
	key, value, _ := strings.Cut(rest, "=")
	if key == "" || !slices.Contains([]string{"NoSchedule", "NoExecute", "PreferNoSchedule"}, effect) {
		return pod.Taint{}, fmt.Errorf("parsing taint %q: it is not KEY=VALUE:EFFECT, with an effect of NoSchedule, NoExecute or PreferNoSchedule", s)
	}
	return pod.Taint{Key: key, Value: value, Effect: effect}, nil
}

// Tolerations returns the tolerations that a Pod lacks for the nodes its images
// can run on: a taint that names another architecture needs none.
func Tolerations(s pod.Spec, images []Image, taints []pod.Taint) []pod.Toleration {
	common, known, err := Common(images)
	if err != nil || len(images) == 0 {
		return nil
	}
	have := slices.Clone(s.Tolerations)
	var add []pod.Toleration
	for _, t := range taints {
		if known && otherPlatform(t, common) || slices.ContainsFunc(have, func(o pod.Toleration) bool { return Tolerates(o, t) }) {
			continue
		}
		o := pod.Toleration{Key: t.Key, Operator: "Equal", Value: t.Value, Effect: t.Effect}
		if t.Value == "" {
			o.Operator = "Exists"
		}
		have, add = append(have, o), append(add, o)
	}
	return add
}

// otherPlatform reports whether a taint is on nodes of none of the platforms.
func otherPlatform(t pod.Taint, l platform.List) bool {
	if t.Value == "" {
		return false
	}
	return !slices.ContainsFunc(l, func(p platform.Platform) bool {
		switch t.Key {
		case LabelArch, betaArch:
			return p.Arch == t.Value
		case LabelOS, betaOS:
			return p.OS == t.Value
		}
		return true
	})
}

// Tolerates follows k8s.io/api/core/v1 (Toleration.ToleratesTaint).
func Tolerates(o pod.Toleration, t pod.Taint) bool {
	if o.Effect != "" && o.Effect != t.Effect || o.Key != "" && o.Key != t.Key {
		return false
	}
	switch o.Operator {
	case "", "Equal":
		return o.Key != "" && o.Value == t.Value
	case "Exists":
		return true
	}
	return false
}
