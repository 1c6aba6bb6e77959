package affinity

import (
	"slices"
	"strconv"

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
	return Matches(r, v, true) || former && Matches(r, v, false)
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

// Matches reports whether a node passes a requirement: v is the value of the
// label, and present whether the node has it. It follows the scheduler's
// k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
func Matches(r pod.Requirement, v string, present bool) bool {
	switch r.Operator {
	case "In":
		return present && slices.Contains(r.Values, v)
	case "NotIn":
		return !present || !slices.Contains(r.Values, v)
	case "Exists":
		return present
	case "DoesNotExist":
		return !present
	case "Gt", "Lt":
		if !present || len(r.Values) != 1 {
			return false
		}
		have, err := strconv.ParseInt(v, 10, 64)
		want, err2 := strconv.ParseInt(r.Values[0], 10, 64)
		if err != nil || err2 != nil {
			return false
		}
		return r.Operator == "Gt" && have > want || r.Operator == "Lt" && have < want
	}
	return false
}
