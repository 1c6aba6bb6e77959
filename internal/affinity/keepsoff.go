package affinity

import (
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// KeepsOff returns the rules of a Pod that keep it off every node of a
// platform, in words ("nodeSelector kubernetes.io/arch=amd64"), as far as the
// labels of operating system and architecture decide: the other labels of such
// a node are not known. Named reports whether a rule that lets it there names
// the architecture, so that it was allowed there on purpose.
func KeepsOff(s pod.Spec, p platform.Platform) (rules []string, named bool) {
	if not := against(s.NodeSelector, p); len(not) > 0 {
		return inRules(not), false
	}
	if !s.Required {
		return nil, len(about(s.NodeSelector, LabelArch, betaArch)) > 0
	}
	passes := false
	for _, t := range s.Terms {
		if t.Empty() {
			continue
		}
		not := against(t.Expressions, p)
		rules = append(rules, inRules(not)...)
		if len(not) == 0 {
			passes = true
			named = named || len(about(slices.Concat(s.NodeSelector, t.Expressions), LabelArch, betaArch)) > 0
		}
	}
	switch {
	case passes:
		return nil, named
	case len(rules) == 0:
		return []string{"required node affinity that matches no node"}, false
	}
	return slices.Compact(rules), false
}

// against returns the rules on platforms among rs that p does not pass.
func against(rs []pod.Requirement, p platform.Platform) []pod.Requirement {
	var out []pod.Requirement
	for _, r := range about(rs, LabelOS, betaOS) {
		if !passes(r, p.OS) {
			out = append(out, r)
		}
	}
	for _, r := range about(rs, LabelArch, betaArch) {
		if !passes(r, p.Arch) {
			out = append(out, r)
		}
	}
	return out
}

func inRules(rs []pod.Requirement) []string {
	var out []string
	for _, r := range rs {
		kind := "node affinity "
		if strings.HasSuffix(r.Field, "nodeSelector") {
			kind = "nodeSelector "
		}
		out = append(out, kind+r.String())
	}
	return out
}
