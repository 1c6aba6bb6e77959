package affinity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// A node of the model: what the scheduler looks at.
type node struct {
	name     string
	labels   map[string]string
	taints   []pod.Taint
	platform platform.Platform // by its labels; zero without them
}

// nodes gives a node for each combination of what matters.
func nodes() []node {
	var all []node
	for _, os := range []string{"linux", "windows"} {
		for _, arch := range []string{"amd64", "arm64", "arm", "s390x", "ppc64le", "riscv64", "386"} {
			for _, labelled := range []string{"no", "yes", "formerly too"} {
				for _, zone := range []string{"", "a", "7"} {
					for _, taint := range []string{"", LabelArch, "dedicated"} {
						n := node{name: fmt.Sprintf("n%d", len(all)%5), labels: map[string]string{}}
						if zone != "" {
							n.labels["zone"] = zone
						}
						if labelled != "no" {
							n.platform = platform.Platform{OS: os, Arch: arch}
							n.labels[LabelOS], n.labels[LabelArch] = os, arch
						}
						if labelled == "formerly too" {
							n.labels[betaOS], n.labels[betaArch] = os, arch
						}
						switch taint {
						case LabelArch:
							n.taints = []pod.Taint{{Key: LabelArch, Value: arch, Effect: "NoSchedule"}}
						case "dedicated":
							n.taints = []pod.Taint{{Key: "dedicated", Effect: "NoExecute"}}
						}
						all = append(all, n)
					}
				}
			}
		}
	}
	return all
}

// allowed is the scheduler: NodeAffinity and TaintToleration.
func allowed(s pod.Spec, n node) bool {
	if !matchAll(s.NodeSelector, n) {
		return false
	}
	if s.Required && !slices.ContainsFunc(s.Terms, func(t pod.Term) bool {
		return !t.Empty() && matchAll(t.Expressions, n) && !slices.ContainsFunc(t.Fields, func(r pod.Requirement) bool { return !Matches(r, n.name, true) })
	}) {
		return false
	}
	return !slices.ContainsFunc(n.taints, func(t pod.Taint) bool {
		return t.Effect != "PreferNoSchedule" && !slices.ContainsFunc(s.Tolerations, func(o pod.Toleration) bool { return Tolerates(o, t) })
	})
}

func matchAll(rs []pod.Requirement, n node) bool {
	return !slices.ContainsFunc(rs, func(r pod.Requirement) bool {
		v, ok := n.labels[r.Key]
		return !Matches(r, v, ok)
	})
}

// apply makes the change to a Spec, as package manifest makes it to a text.
func apply(s pod.Spec, c Change) pod.Spec {
	if len(c.New) > 0 {
		s.Required, s.Terms = true, c.New
		return s
	}
	if c.Existing == nil {
		return s
	}
	var terms []pod.Term
	for i, forms := range c.Existing {
		if len(forms) == 0 {
			terms = append(terms, s.Terms[i])
		}
		for _, add := range forms {
			t := s.Terms[i]
			t.Expressions = slices.Concat(add, t.Expressions)
			terms = append(terms, t)
		}
	}
	s.Terms = terms
	return s
}

// A dice makes up Pods.
type dice struct{ *rand.Rand }

func pick[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

func some[T any](d dice, max int, f func() T) []T {
	var out []T
	for range d.IntN(max + 1) {
		out = append(out, f())
	}
	return out
}

func (d dice) value(key string) string {
	switch key {
	case LabelOS, betaOS:
		return pick(d, "linux", "linux", "windows", "plan9")
	case LabelArch, betaArch:
		return pick(d, "amd64", "arm64", "arm", "s390x", "386", "sparc64")
	}
	return pick(d, "a", "b", "7")
}

func (d dice) requirement() pod.Requirement {
	r := pod.Requirement{Key: pick(d, LabelOS, LabelArch, LabelArch, betaOS, betaArch, "zone"), Operator: pick(d, "In", "In", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")}
	switch r.Operator {
	case "In", "NotIn":
		r.Values = append(some(d, 2, func() string { return d.value(r.Key) }), d.value(r.Key))
	case "Gt", "Lt":
		r.Values = []string{pick(d, "3", "385", "400", "x")}
	}
	return r
}

func (d dice) spec() pod.Spec {
	s := pod.Spec{Required: d.IntN(3) > 0}
	s.NodeSelector = some(d, 1, func() pod.Requirement {
		key := pick(d, LabelOS, LabelArch, betaArch, "zone")
		return pod.In(key, d.value(key))
	})
	if s.Required {
		s.Terms = some(d, 3, func() pod.Term {
			return pod.Term{Expressions: some(d, 3, d.requirement), Fields: some(d, 1, func() pod.Requirement {
				return pod.Requirement{Key: "metadata.name", Operator: pick(d, "In", "NotIn"), Values: []string{pick(d, "n1", "n2")}}
			})}
		})
	}
	s.Tolerations = some(d, 2, func() pod.Toleration {
		return pod.Toleration{Key: pick(d, "", LabelArch, "dedicated"), Operator: pick(d, "", "Equal", "Exists"), Value: pick(d, "", "arm64"), Effect: pick(d, "", "NoSchedule", "NoExecute")}
	})
	return s
}

func (d dice) images() []Image {
	all := []string{"linux/amd64", "linux/arm64", "linux/arm/v6", "linux/arm/v7", "linux/s390x", "linux/386", "windows/amd64", "windows/arm64"}
	return append(some(d, 2, func() Image { return d.image(all) }), d.image(all))
}

func (d dice) image(all []string) Image {
	var ps []platform.Platform
	for range 1 + d.IntN(5) {
		p, _ := platform.Parse(pick(d, all...))
		ps = append(ps, p)
	}
	return Image{Platforms: platform.NewList(ps...)}
}

// TestTheLaw checks, for Pods that chance made up: a node is allowed after if
// and only if it was allowed before and its platform is one that all images
// have, and a second run has nothing to do.
func TestTheLaw(t *testing.T) {
	all := nodes()
	taints := []pod.Taint{{Key: LabelArch, Value: "arm64", Effect: "NoSchedule"}, {Key: "dedicated", Effect: "NoExecute"}}
	refused := 0
	for seed := range uint64(30_000) {
		d := dice{rand.New(rand.NewPCG(seed, 0))}
		before, images, o := d.spec(), d.images(), Options{PerPlatform: d.IntN(2) > 0}
		common, _, errCommon := Common(images)
		change, err := Plan(before, images, o)
		if err != nil {
			refused++
			if exit.CodeOf(err) != exit.Impossible {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for _, n := range all {
				if errCommon == nil && allowed(before, n) && common.Contains(n.platform) {
					t.Fatalf("seed %d: %v, but node %+v can run %v", seed, err, n, before)
				}
			}
			continue
		}
		given := some(d, 2, func() pod.Taint { return pick(d, taints...) })
		tolerant := before
		tolerant.Tolerations = slices.Concat(before.Tolerations, Tolerations(before, images, given))
		after := apply(tolerant, change)
		for _, n := range all {
			if want := allowed(tolerant, n) && common.Contains(n.platform); allowed(after, n) != want {
				t.Fatalf("seed %d: node %+v allowed: %t, want %t\nplatforms %s\nbefore %+v\nafter  %+v", seed, n, !want, want, common, before, after)
			}
		}
		for _, taint := range given {
			for _, n := range all {
				mine := n
				if mine.taints = []pod.Taint{taint}; common.Contains(n.platform) && (taint.Key != LabelArch || n.platform.Arch == taint.Value) {
					bare := n
					if bare.taints = nil; allowed(after, bare) != allowed(after, mine) {
						t.Fatalf("seed %d: taint %+v is not tolerated by %+v", seed, taint, after)
					}
				}
			}
		}
		again, err := Plan(after, images, o)
		if err != nil || !again.Empty() || Tolerations(after, images, given) != nil {
			t.Fatalf("seed %d: the second run adds %+v %v\nto %+v", seed, again, err, after)
		}
	}
	if refused == 0 || refused > 20_000 {
		t.Errorf("%d of 30000 Pods were refused: the dice are loaded", refused)
	}
}

// A single OS is one term whatever the number of architectures; Karpenter looks
// at the first term alone.
func TestPerPlatformIsSkaffolds(t *testing.T) {
	got, err := Plan(pod.Spec{}, on(t, "linux/amd64,linux/arm64"), Options{PerPlatform: true})
	if err != nil || len(got.New) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, arch := range []string{"amd64", "arm64"} {
		want := []pod.Requirement{pod.In(LabelOS, "linux"), pod.In(LabelArch, arch)}
		if !slices.EqualFunc(got.New[i].Expressions, want, func(a, b pod.Requirement) bool {
			return a.Key == b.Key && a.Operator == b.Operator && slices.Equal(a.Values, b.Values)
		}) {
			t.Errorf("term %d is %+v", i, got.New[i])
		}
	}
}
