package cluster

import (
	"fmt"
	"strings"
)

// Taint keys with a meaning of their own.
// https://kubernetes.io/docs/reference/labels-annotations-taints/
const (
	virtualTaint  = "virtual-kubelet.io/provider"
	virtualLabel  = "type" // with virtualValue
	virtualValue  = "virtual-kubelet"
	cordonedTaint = "node.kubernetes.io/unschedulable"
)

// conditionTaints come and go with a node's health, by Kubernetes itself.
var conditionTaints = map[string]string{
	"node.kubernetes.io/not-ready":                   "not ready",
	"node.kubernetes.io/unreachable":                 "not ready",
	"node.kubernetes.io/network-unavailable":         "without network",
	"node.kubernetes.io/memory-pressure":             "short of memory",
	"node.kubernetes.io/disk-pressure":               "short of disk",
	"node.kubernetes.io/pid-pressure":                "short of process ids",
	"node.cloudprovider.kubernetes.io/uninitialized": "starting",
}

// A Taint keeps pods that do not tolerate it away from a node.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"` // NoSchedule, NoExecute or PreferNoSchedule
}

// String gives the taint as `kubectl taint` writes it: key=value:Effect.
func (t Taint) String() string {
	s := t.Key
	if t.Value != "" {
		s += "=" + t.Value
	}
	return s + ":" + t.Effect
}

// bars reports whether the taint keeps pods away, instead of making the
// scheduler prefer other nodes.
func (t Taint) bars() bool { return t.Effect == "NoSchedule" || t.Effect == "NoExecute" }

// A Toleration is a toleration of the workload. Empty fields tolerate all.
type Toleration struct {
	Key, Value, Effect string
	AnyValue           bool // operator Exists
}

func (o Toleration) tolerates(t Taint) bool {
	return (o.Key == "" || o.Key == t.Key) && (o.AnyValue || o.Value == t.Value) && (o.Effect == "" || o.Effect == t.Effect)
}

// ParseToleration reads a toleration in the syntax of `kubectl taint`:
// key=value:Effect tolerates that taint, key:Effect and key every value of it,
// key=value every effect, and * tolerates everything.
func ParseToleration(s string) (Toleration, error) {
	if s == "*" {
		return Toleration{AnyValue: true}, nil
	}
	rest, effect, _ := strings.Cut(s, ":")
	switch effect {
	case "", "NoSchedule", "NoExecute", "PreferNoSchedule":
	default:
		return Toleration{}, fmt.Errorf("parsing toleration %q: %q is no effect; there are NoSchedule, NoExecute and PreferNoSchedule", s, effect)
	}
	key, value, equal := strings.Cut(rest, "=")
	if key == "" || strings.ContainsAny(key, " \t\r\n*") || strings.ContainsAny(value, " =\t\r\n") || strings.HasSuffix(s, ":") {
		return Toleration{}, fmt.Errorf("parsing toleration %q: it is not KEY[=VALUE][:EFFECT], for example dedicated=builds:NoSchedule", s)
	}
	return Toleration{Key: key, Value: value, Effect: effect, AnyValue: !equal}, nil
}
