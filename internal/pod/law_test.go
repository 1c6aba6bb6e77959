package pod

import (
	"math/rand/v2"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
)

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func some[T any](r *rand.Rand, max int, f func() T) []T {
	var out []T
	for range r.IntN(max + 1) {
		out = append(out, f())
	}
	return out
}

func anyRequirement(r *rand.Rand, field bool) Requirement {
	if field { // the API server takes no others
		return Requirement{Key: "metadata.name", Operator: pick(r, "In", "NotIn"), Values: []string{pick(r, "n1", "n2")}}
	}
	q := Requirement{Key: pick(r, "zone", "pool", "cores"), Operator: pick(r, "In", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")}
	switch q.Operator {
	case "In", "NotIn":
		q.Values = append(some(r, 2, func() string { return pick(r, "a", "b", "7") }), pick(r, "a", "b"))
	case "Gt", "Lt":
		q.Values = []string{pick(r, "3", "7", "8", "-1", "x")}
	}
	return q
}

func wire(rs []Requirement) []corev1.NodeSelectorRequirement {
	var out []corev1.NodeSelectorRequirement
	for _, r := range rs {
		out = append(out, corev1.NodeSelectorRequirement{Key: r.Key, Operator: corev1.NodeSelectorOperator(r.Operator), Values: r.Values})
	}
	return out
}

// The law is the scheduler's: what its own code says of Pods and nodes that
// chance made up.
func TestMismatchIsTheSchedulers(t *testing.T) {
	allowed := 0
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := Spec{Required: r.IntN(3) > 0, NodeSelector: some(r, 1, func() Requirement { return In(pick(r, "zone", "pool"), pick(r, "a", "b")) })}
		if s.Required {
			s.Terms = some(r, 3, func() Term {
				return Term{
					Expressions: some(r, 2, func() Requirement { return anyRequirement(r, false) }),
					Fields:      some(r, 1, func() Requirement { return anyRequirement(r, true) }),
				}
			})
		}
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: pick(r, "n1", "n2", "n3"), Labels: map[string]string{}}}
		for _, key := range []string{"zone", "pool", "cores"} {
			if r.IntN(3) > 0 {
				n.Labels[key] = pick(r, "a", "b", "7")
			}
		}
		p := &corev1.Pod{}
		for _, q := range s.NodeSelector {
			p.Spec.NodeSelector = map[string]string{q.Key: q.Values[0]}
		}
		if s.Required {
			sel := &corev1.NodeSelector{}
			for _, term := range s.Terms {
				sel.NodeSelectorTerms = append(sel.NodeSelectorTerms, corev1.NodeSelectorTerm{MatchExpressions: wire(term.Expressions), MatchFields: wire(term.Fields)})
			}
			p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: sel}}
		}
		want, _ := nodeaffinity.GetRequiredNodeAffinity(p).Match(n) // terms that cannot be parsed match nothing
		why := s.Mismatch(Node{Name: n.Name, Labels: n.Labels})
		if (why == "") != want {
			t.Fatalf("seed %d: %q, while the scheduler says %t\n%+v\n%s %v", seed, why, want, s, n.Name, n.Labels)
		}
		if want {
			allowed++
		}
	}
	if allowed < 2_000 || allowed > 18_000 {
		t.Errorf("%d of 20000 pairs match: the dice are loaded", allowed)
	}
}

func TestTolerationsAreTheSchedulers(t *testing.T) {
	keys, values, effects := []string{"", "a", "b"}, []string{"", "x"}, []string{"", "NoSchedule", "NoExecute", "PreferNoSchedule"}
	for _, taint := range []Taint{{"a", "", "NoSchedule"}, {"a", "x", "NoExecute"}, {"b", "x", "NoSchedule"}, {"b", "", "PreferNoSchedule"}} {
		for _, key := range keys {
			for _, operator := range []string{"", "Equal", "Exists"} {
				for _, value := range values {
					for _, effect := range effects {
						if key == "" && operator != "Exists" || operator == "Exists" && value != "" {
							continue // the API server refuses it
						}
						o := Toleration{key, operator, value, effect}
						_, repels := helpers.FindMatchingUntoleratedTaint(klog.Background(), []corev1.Taint{{Key: taint.Key, Value: taint.Value, Effect: corev1.TaintEffect(taint.Effect)}},
							[]corev1.Toleration{{Key: key, Operator: corev1.TolerationOperator(operator), Value: value, Effect: corev1.TaintEffect(effect)}},
							func(t *corev1.Taint) bool { return t.Effect != corev1.TaintEffectPreferNoSchedule }, false)
						if got := taint.Repels() && !o.Tolerates(taint); got != repels {
							t.Errorf("%+v and %s: repels %t, while the scheduler says %t", o, taint, got, repels)
						}
					}
				}
			}
		}
	}
}

func TestMismatchNamesTheRule(t *testing.T) {
	n := Node{Name: "n1", Labels: map[string]string{"zone": "a"}}
	zone := Requirement{Key: "zone", Operator: "NotIn", Values: []string{"a", "b"}}
	for want, s := range map[string]Spec{
		"":                                     {NodeSelector: []Requirement{In("zone", "a")}},
		"not the node that nodeName names, n2": {NodeName: "n2"},
		"without pool=web, which its nodeSelector asks for":            {NodeSelector: []Requirement{In("pool", "web")}},
		"not matched by its required node affinity":                    {Required: true},
		"not matched by its required node affinity, zone NotIn [a, b]": {Required: true, Terms: []Term{{Expressions: []Requirement{zone}}}},
	} {
		if got := s.Mismatch(n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTaints(t *testing.T) {
	for _, s := range []string{"a=b:NoSchedule", "a:NoExecute", "kubernetes.io/arch=arm64:PreferNoSchedule"} {
		if taint, err := ParseTaint(s); err != nil || taint.String() != s {
			t.Errorf("%s: %v, %v", s, taint, err)
		}
	}
	for _, s := range []string{"", "a", "a=b", "=b:NoSchedule", "a:Never"} {
		if _, err := ParseTaint(s); err == nil || !strings.Contains(err.Error(), "KEY=VALUE:EFFECT") {
			t.Errorf("%s: %v", s, err)
		}
	}
}
