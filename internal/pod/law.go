package pod

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Node is what the rules of a Pod are compared with.
type Node struct {
	Name   string
	Labels map[string]string
}

// Mismatch returns the first rule of the Pod on names and labels that keeps it
// off the node, as words, or "" if the node passes. It is the scheduler's law,
// k8s.io/component-helpers/scheduling/corev1/nodeaffinity, and that of
// spec.nodeName: nodeSelector and required affinity are ANDed, the terms ORed,
// and a term without requirements matches no node.
func (s *Spec) Mismatch(n Node) string {
	if s.NodeName != "" && s.NodeName != n.Name {
		return "not the node that nodeName names, " + s.NodeName
	}
	for _, r := range s.NodeSelector {
		if !r.matchesLabels(n.Labels) {
			return "without " + r.String() + ", which its nodeSelector asks for"
		}
	}
	if s.Required && TermOf(s.Terms, n) < 0 {
		return "not matched by its required node affinity" + unmet(s.Terms, n)
	}
	return ""
}

// TermOf returns the index of the first term that matches the node, or -1.
func TermOf(terms []Term, n Node) int {
	return slices.IndexFunc(terms, func(t Term) bool { return t.Matches(n) })
}

// unmet names the requirement that fails, where there is one term to look at.
func unmet(terms []Term, n Node) string {
	if len(terms) != 1 {
		return ""
	}
	for _, r := range terms[0].Expressions {
		if !r.matchesLabels(n.Labels) {
			return ", " + r.String()
		}
	}
	for _, r := range terms[0].Fields {
		if !r.Matches(n.Name, true) {
			return ", " + r.String()
		}
	}
	return ""
}

// Matches reports whether a node passes all requirements of the term, of which
// there must be one.
func (t Term) Matches(n Node) bool {
	return !t.Empty() &&
		!slices.ContainsFunc(t.Expressions, func(r Requirement) bool { return !r.matchesLabels(n.Labels) }) &&
		!slices.ContainsFunc(t.Fields, func(r Requirement) bool { return r.Key != "metadata.name" || !r.Matches(n.Name, true) })
}

func (r Requirement) matchesLabels(labels map[string]string) bool {
	v, ok := labels[r.Key]
	return r.valid() && r.Matches(v, ok)
}

// labelValue is what the value of a label looks like: a term with another one,
// even a number below zero, matches no node.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
var labelValue = regexp.MustCompile(`^(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$`)

func (r Requirement) valid() bool {
	return !slices.ContainsFunc(r.Values, func(v string) bool { return !labelValue.MatchString(v) })
}

// Matches reports whether a node passes the requirement: v is the value of the
// label, and present whether the node has it. It follows the scheduler's
// k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
func (r Requirement) Matches(v string, present bool) bool {
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

// String returns the requirement as kubectl describe shows it: "zone in [a b]",
// and "zone=a" where a label has to have one value.
func (r Requirement) String() string {
	switch {
	case r.Operator == "In" && len(r.Values) == 1:
		return r.Key + "=" + r.Values[0]
	case len(r.Values) == 0:
		return r.Key + " " + r.Operator
	}
	return r.Key + " " + r.Operator + " [" + strings.Join(r.Values, ", ") + "]"
}
