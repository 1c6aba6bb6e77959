package affinity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// A node is what the scheduler looks at, with its platform by the labels: zero
// without them.
type node struct {
	*corev1.Node
	platform platform.Platform
	level    int // of x86-64, by the labels
}

// nodes returns a node for each combination of what matters.
func nodes() []node {
	var all []node
	for _, os := range []string{"linux", "windows"} {
		for _, arch := range []string{"amd64", "arm64", "arm", "s390x", "ppc64le", "riscv64", "386"} {
			for _, labelled := range []string{"no", "yes", "formerly too"} {
				for _, zone := range []string{"", "a", "7"} {
					for _, taint := range []string{"", LabelArch, "dedicated"} {
						n := node{Node: &corev1.Node{}}
						n.Name, n.Labels = fmt.Sprintf("n%d", len(all)%5), map[string]string{}
						if zone != "" {
							n.Labels["zone"] = zone
						}
						if labelled != "no" {
							n.platform = platform.Platform{OS: os, Arch: arch}
							n.Labels[LabelOS], n.Labels[LabelArch] = os, arch
						}
						if labelled == "formerly too" {
							n.Labels[betaOS], n.Labels[betaArch] = os, arch
						}
						switch taint {
						case LabelArch:
							n.Spec.Taints = []corev1.Taint{{Key: LabelArch, Value: arch, Effect: "NoSchedule"}}
						case "dedicated":
							n.Spec.Taints = []corev1.Taint{{Key: "dedicated", Effect: "NoExecute"}}
						}
						all = append(all, n)
						if os != "linux" || arch != "amd64" || taint != "" {
							continue
						}
						for level := 1; level <= pod.MaxLevel; level++ {
							m := n
							m.Node, m.level = n.DeepCopy(), level
							for l := 1; l <= level; l++ {
								m.Labels[pod.LevelLabel(l)] = "true"
							}
							all = append(all, m)
						}
					}
				}
			}
		}
	}
	return all
}

// A judge says on which nodes a Pod may run. It is the code of the scheduler's
// plugins NodeAffinity and TaintToleration, not ours.
type judge struct {
	affinity    nodeaffinity.RequiredNodeAffinity
	tolerations []corev1.Toleration
}

func judgeOf(s pod.Spec) judge {
	p := &corev1.Pod{}
	if s.NodeSelector != nil {
		p.Spec.NodeSelector = map[string]string{}
	}
	for _, r := range s.NodeSelector {
		p.Spec.NodeSelector[r.Key] = r.Values[0]
	}
	if s.Required {
		sel := &corev1.NodeSelector{}
		for _, t := range s.Terms {
			sel.NodeSelectorTerms = append(sel.NodeSelectorTerms, corev1.NodeSelectorTerm{MatchExpressions: requirements(t.Expressions), MatchFields: requirements(t.Fields)})
		}
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: sel}}
	}
	j := judge{affinity: nodeaffinity.GetRequiredNodeAffinity(p)}
	for _, t := range s.Tolerations {
		j.tolerations = append(j.tolerations, corev1.Toleration{Key: t.Key, Operator: corev1.TolerationOperator(t.Operator), Value: t.Value, Effect: corev1.TaintEffect(t.Effect)})
	}
	return j
}

func requirements(rs []pod.Requirement) []corev1.NodeSelectorRequirement {
	var out []corev1.NodeSelectorRequirement
	for _, r := range rs {
		out = append(out, corev1.NodeSelectorRequirement{Key: r.Key, Operator: corev1.NodeSelectorOperator(r.Operator), Values: r.Values})
	}
	return out
}

// allows ignores the error of terms that the API server would refuse, as the
// scheduler does.
func (j judge) allows(n *corev1.Node) bool {
	if ok, _ := j.affinity.Match(n); !ok {
		return false
	}
	return j.tolerates(n.Spec.Taints)
}

func (j judge) tolerates(taints []corev1.Taint) bool {
	_, untolerated := helpers.FindMatchingUntoleratedTaint(klog.Background(), taints, j.tolerations, func(t *corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	}, false)
	return !untolerated
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
	case pod.LevelLabel(2), pod.LevelLabel(3):
		return pick(d, "true", "true", "false")
	case LabelArch, betaArch:
		return pick(d, "amd64", "arm64", "arm", "s390x", "386", "sparc64")
	}
	return pick(d, "a", "b", "7")
}

func (d dice) requirement() pod.Requirement {
	r := pod.Requirement{Key: pick(d, LabelOS, LabelArch, LabelArch, betaOS, betaArch, "zone", pod.LevelLabel(2), pod.LevelLabel(3)), Operator: pick(d, "In", "In", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")}
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
		key := pick(d, LabelOS, LabelArch, betaArch, "zone", pod.LevelLabel(3))
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
	all := []string{"linux/amd64", "linux/amd64/v2", "linux/amd64/v3", "linux/amd64/v4", "linux/arm64", "linux/arm/v6", "linux/arm/v7", "linux/s390x", "linux/386", "windows/amd64", "windows/arm64"}
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
	const pods = 10_000
	all := nodes()
	taints := []pod.Taint{{Key: LabelArch, Value: "arm64", Effect: "NoSchedule"}, {Key: "dedicated", Effect: "NoExecute"}}
	refused := 0
	for seed := range uint64(pods) {
		d := dice{rand.New(rand.NewPCG(seed, 0))}
		before, images, o := d.spec(), d.images(), Options{PerPlatform: d.IntN(2) > 0, Levels: d.IntN(2) > 0}
		common, _, errCommon := Common(images)
		need := 0
		if o.Levels {
			need = levels(images)[platform.Platform{OS: "linux", Arch: "amd64"}]
		}
		can := func(n node) bool {
			return common.Contains(n.platform) && (n.platform.OS != "linux" || n.platform.Arch != "amd64" || n.level >= need)
		}
		change, err := Plan(before, images, o)
		if err != nil {
			refused++
			if exit.CodeOf(err) != exit.Impossible {
				t.Fatalf("seed %d: %v", seed, err)
			}
			was := judgeOf(before)
			for _, n := range all {
				if errCommon == nil && can(n) && was.allows(n.Node) {
					t.Fatalf("seed %d: %v, but node %s with %v can run %v", seed, err, n.Name, n.Labels, before)
				}
			}
			continue
		}
		given := some(d, 2, func() pod.Taint { return pick(d, taints...) })
		tolerant := before
		tolerant.Tolerations = slices.Concat(before.Tolerations, Tolerations(before, images, given))
		after := apply(tolerant, change)
		was, is := judgeOf(tolerant), judgeOf(after)
		for _, n := range all {
			if want := can(n) && was.allows(n.Node); is.allows(n.Node) != want {
				t.Fatalf("seed %d: node %s with %v allowed: %t, want %t\nplatforms %s\nbefore %+v\nafter  %+v", seed, n.Name, n.Labels, !want, want, common, before, after)
			}
		}
		for _, taint := range given {
			some := slices.ContainsFunc(common, func(p platform.Platform) bool { return taint.Key != LabelArch || p.Arch == taint.Value })
			if some && !is.tolerates([]corev1.Taint{{Key: taint.Key, Value: taint.Value, Effect: corev1.TaintEffect(taint.Effect)}}) {
				t.Fatalf("seed %d: taint %+v is not tolerated by %+v", seed, taint, after)
			}
		}
		again, err := Plan(after, images, o)
		if err != nil || !empty(again) || Tolerations(after, images, given) != nil {
			t.Fatalf("seed %d: the second run adds %+v %v\nto %+v", seed, again, err, after)
		}
	}
	if refused == 0 || refused > pods*2/3 {
		t.Errorf("%d of %d Pods were refused: the dice are loaded", refused, pods)
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

// empty reports whether there is nothing to add.
func empty(c Change) bool {
	return len(c.New) == 0 && !slices.ContainsFunc(c.Existing, func(forms [][]pod.Requirement) bool { return len(forms) > 0 })
}
