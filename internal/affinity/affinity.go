package affinity

import (
	"slices"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// The well-known labels of a node, and the names they had before Kubernetes
// 1.14, which kubelets still set.
const (
	LabelOS   = "kubernetes.io/os"
	LabelArch = "kubernetes.io/arch"

	betaOS   = "beta.kubernetes.io/os"
	betaArch = "beta.kubernetes.io/arch"

	TaintOS = "node.kubernetes.io/os" // the key of the taint that many give Windows nodes; never a label
)

// An Image is what is known of a container's image.
type Image struct {
	Container pod.Container
	Platforms platform.List // nil: unknown, it narrows nothing
}

// Options change the form of the answer, never its meaning.
type Options struct {
	PerPlatform bool          // a term for each platform instead of one for each OS
	Cluster     platform.List // what the nodes have, if known: one of them must be able to run the Pod
	Prefer      []Preference  // platforms to prefer among those that the images have
	Levels      bool          // the nodes have Node Feature Discovery's labels: ask for the x86-64 level that the images need
}

// A Change is what to add to a Spec's required node affinity.
type Change struct {
	// New are the terms to write where there is no required affinity.
	New []pod.Term
	// Existing has an entry for each existing term, and an entry for each
	// form the term is to take: the requirements to add to it. No form means
	// that the term stays as it is; several, that it has to be repeated.
	Existing [][][]pod.Requirement
	// Preferred are the preferred terms to write.
	Preferred []pod.Preference
}

// A group is a term's share of the platforms: one OS with its architectures, or
// one architecture of which a level is needed.
type group struct {
	os     string
	arches []string
	level  int // 0: any
}

func groups(l platform.List, images []Image, o Options) []group {
	var need map[platform.Platform]int
	if o.Levels {
		need = levels(images)
	}
	var gs []group
	for _, p := range l.Nodes() { // sorted by OS, then architecture
		n := slices.IndexFunc(gs, func(g group) bool { return g.os == p.OS && g.level == 0 })
		if n < 0 || need[p] > 0 || o.PerPlatform {
			gs = append(gs, group{p.OS, []string{p.Arch}, need[p]})
			continue
		}
		gs[n].arches = append(gs[n].arches, p.Arch)
	}
	return gs
}

// Plan returns the change that makes the law hold for a Pod with these images.
// Images without a platform in common, and a Pod whose own rules leave no node
// that its images could run on, are errors of code exit.Impossible, with the
// line of the field that stands against it.
func Plan(s pod.Spec, images []Image, o Options) (Change, error) {
	common, known, err := Common(images)
	if err != nil || !known || s.NodeName != "" {
		return Change{}, err
	}
	if err := reachable(s, images, common, o.Cluster); err != nil {
		return Change{}, err
	}
	gs := groups(common, images, o)
	preferred := prefer(s.Preferred, common, o.Prefer)
	if !s.Required {
		forms, err := complete(pod.Term{}, s.NodeSelector, common, gs)
		if err != nil {
			return Change{}, explain(err, images, common)
		}
		c := Change{Preferred: preferred}
		for _, add := range forms {
			c.New = append(c.New, pod.Term{Expressions: add})
		}
		return c, nil
	}
	c := Change{Existing: make([][][]pod.Requirement, len(s.Terms)), Preferred: preferred}
	var first error
	possible := false
	for i, t := range s.Terms {
		if t.Empty() {
			continue
		}
		forms, err := complete(t, s.NodeSelector, common, gs)
		if err != nil && first == nil {
			first = err
		}
		possible = possible || err == nil
		c.Existing[i] = forms
	}
	if first != nil && !possible {
		return Change{}, explain(first, images, common)
	}
	return c, nil
}

// complete returns what a term lacks so that it implies the law: nothing, or the
// requirements for each group that the term leaves possible. For a term that
// contradicts all of them it returns an error, and requirements all the same.
func complete(t pod.Term, selector []pod.Requirement, common platform.List, gs []group) ([][]pod.Requirement, error) {
	all := slices.Concat(selector, t.Expressions)
	os, arch := about(all, LabelOS, betaOS), about(all, LabelArch, betaArch)
	possible := func(g group) bool { return os.allows(g.os) && slices.ContainsFunc(g.arches, arch.allows) }
	if implied(os, arch, common) {
		if !slices.ContainsFunc(common.Nodes(), func(p platform.Platform) bool { return os.allows(p.OS) && arch.allows(p.Arch) }) {
			return nil, contradicting(os, arch, common)
		}
		if !slices.ContainsFunc(gs, func(g group) bool { return possible(g) && g.wanting(all) != nil }) {
			return nil, nil
		}
	}
	var forms [][]pod.Requirement
	for _, g := range gs {
		if possible(g) {
			forms = append(forms, append(lacking(os, arch, g), g.wanting(all)...))
		}
	}
	if forms == nil {
		return [][]pod.Requirement{lacking(os, arch, gs[0])}, contradicting(os, arch, common)
	}
	return forms, nil
}

// lacking returns the requirements of g that do not follow from os and arch.
func lacking(os, arch rules, g group) []pod.Requirement {
	var add []pod.Requirement
	if !os.within(g.os) {
		add = append(add, pod.In(LabelOS, g.os))
	}
	if !arch.within(g.arches...) {
		add = append(add, pod.In(LabelArch, g.arches...))
	}
	return add
}

// implied reports whether every node that the rules allow has a platform of l.
func implied(os, arch rules, l platform.List) bool {
	oses, bounded := os.candidates()
	if !bounded {
		return false
	}
	arches, bounded := arch.candidates()
	if !bounded {
		return len(oses) == 0
	}
	for _, o := range oses {
		for _, a := range arches {
			if !l.Nodes().Contains(platform.Platform{OS: o, Arch: a}) {
				return false
			}
		}
	}
	return true
}
