package pod

import (
	"fmt"
	"slices"
	"strings"
)

// A Taint keeps Pods off a node that do not tolerate it.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"` // NoSchedule, NoExecute or PreferNoSchedule
}

// A Toleration lets a Pod onto nodes with a taint. An empty operator means
// Equal, an empty effect all effects, and an empty key with Exists all taints.
type Toleration struct {
	Key, Operator, Value, Effect string
}

var effects = []string{"NoSchedule", "NoExecute", "PreferNoSchedule"}

// ParseTaint reads KEY[=VALUE]:EFFECT, as detect-arch prints its taints and
// kubectl describe shows them.
func ParseTaint(s string) (Taint, error) {
	rest, effect, _ := strings.Cut(s, ":")
	key, value, _ := strings.Cut(rest, "=")
	if key == "" || !slices.Contains(effects, effect) {
		return Taint{}, fmt.Errorf("parsing taint %q: it is not KEY=VALUE:EFFECT, with an effect of NoSchedule, NoExecute or PreferNoSchedule", s)
	}
	return Taint{Key: key, Value: value, Effect: effect}, nil
}

// ParseToleration reads a toleration in the syntax of `kubectl taint`:
// key=value:Effect tolerates that taint, key:Effect and key every value of it,
// key=value every effect, and * tolerates everything.
func ParseToleration(s string) (Toleration, error) {
	if s == "*" {
		return Toleration{Operator: "Exists"}, nil
	}
	rest, effect, _ := strings.Cut(s, ":")
	if effect != "" && !slices.Contains(effects, effect) {
		return Toleration{}, fmt.Errorf("parsing toleration %q: unknown effect %q; use NoSchedule, NoExecute or PreferNoSchedule", s, effect)
	}
	key, value, equal := strings.Cut(rest, "=")
	if key == "" || strings.ContainsAny(key, " \t\r\n*") || strings.ContainsAny(value, " =\t\r\n") || strings.HasSuffix(s, ":") {
		return Toleration{}, fmt.Errorf("parsing toleration %q: it is not KEY[=VALUE][:EFFECT], for example dedicated=builds:NoSchedule", s)
	}
	o := Toleration{Key: key, Operator: "Exists", Value: value, Effect: effect}
	if equal {
		o.Operator = "Equal"
	}
	return o, nil
}

// String returns the taint as `kubectl taint` writes it: key=value:Effect.
func (t Taint) String() string {
	s := t.Key
	if t.Value != "" {
		s += "=" + t.Value
	}
	return s + ":" + t.Effect
}

// Repels reports whether the taint keeps Pods away, instead of making the
// scheduler prefer other nodes.
func (t Taint) Repels() bool { return t.Effect == "NoSchedule" || t.Effect == "NoExecute" }

// Tolerates follows k8s.io/api/core/v1 (Toleration.ToleratesTaint).
func (o Toleration) Tolerates(t Taint) bool {
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

// ToleratedBy reports whether any toleration tolerates t.
func (t Taint) ToleratedBy(all []Toleration) bool {
	return slices.ContainsFunc(all, func(o Toleration) bool { return o.Tolerates(t) })
}
