package affinity

import (
	"slices"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

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
		if known && otherPlatform(t, common) || t.ToleratedBy(have) {
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

// OfPlatform reports whether a taint is on nodes for their OS or architecture.
func OfPlatform(t pod.Taint) bool {
	return slices.Contains([]string{LabelArch, betaArch, LabelOS, betaOS, TaintOS}, t.Key)
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
		case LabelOS, betaOS, TaintOS:
			return p.OS == t.Value
		}
		return true
	})
}
