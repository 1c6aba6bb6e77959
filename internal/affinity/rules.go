package affinity

import (
	"slices"

	"github.com/polyarch/polyarch/internal/pod"
)

// rules are the requirements on one label; all of them must hold.
type rules []pod.Requirement

func about(rs []pod.Requirement, keys ...string) rules {
	var out rules
	for _, r := range rs {
		if slices.Contains(keys, r.Key) {
			out = append(out, r)
		}
	}
	return out
}

// allows reports whether a node of that OS or architecture can pass. A node
// need not have the label's former name as well.
func (rs rules) allows(v string) bool {
	return !slices.ContainsFunc(rs, func(r pod.Requirement) bool { return !passes(r, v) })
}

func passes(r pod.Requirement, v string) bool {
	former := r.Key == betaOS || r.Key == betaArch
	return r.Matches(v, true) || former && r.Matches("", false)
}

// candidates returns the values that a node's label can have, sorted; bounded is
// false when the rules leave them open.
func (rs rules) candidates() (values []string, bounded bool) {
	for _, r := range rs {
		if r.Operator != "In" {
			continue
		}
		for _, v := range r.Values {
			if rs.allows(v) {
				values = append(values, v)
			}
		}
		slices.Sort(values)
		return slices.Compact(values), true
	}
	return nil, false
}

// within reports whether the rules allow none but these values.
func (rs rules) within(values ...string) bool {
	cs, bounded := rs.candidates()
	return bounded && !slices.ContainsFunc(cs, func(c string) bool { return !slices.Contains(values, c) })
}
