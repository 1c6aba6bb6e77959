package affinity

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// Common returns the platforms that all images whose platforms are known have in
// common; known is false when that is none of them. It is an error if there is
// no such platform.
func Common(images []Image) (common platform.List, known bool, err error) {
	for _, i := range images {
		if i.Platforms == nil {
			continue
		}
		before := common
		common = i.Platforms.Nodes()
		if known {
			common = before.Intersect(common)
		}
		known = true
		if len(common) == 0 {
			return nil, true, exit.Impossiblef("no node can run all of its images: %s", inWords(images)).
				Hint("build the image that lacks a platform for it, or run the containers in separate Pods").At("", i.Container.Line, 0)
		}
	}
	return common, known, nil
}

// reachable is an error if no node of the cluster could run the images where
// the Pod's own rules allow it to. Rules that allow none of the images'
// platforms are not its business.
func reachable(s pod.Spec, images []Image, common, cluster platform.List) error {
	if len(cluster) == 0 {
		return nil
	}
	allowed := func(p platform.Platform) bool {
		if !s.Required {
			return allows(s.NodeSelector, p)
		}
		return slices.ContainsFunc(s.Terms, func(t pod.Term) bool {
			return !t.Empty() && allows(slices.Concat(s.NodeSelector, t.Expressions), p)
		})
	}
	if !anyPlatform(common, allowed) || anyPlatform(common.Intersect(cluster.Nodes()), allowed) {
		return nil
	}
	line := 0
	if len(images) > 0 {
		line = images[0].Container.Line
	}
	return exit.Impossiblef("no node of the cluster, which has %s, can run all of its images: %s", cluster, inWords(images)).OnLine(line, 0).
		Hint("build the images for a platform of the cluster, or deploy to another one")
}

// allows reports whether the rules on platforms among rs let a node pass.
func allows(rs []pod.Requirement, p platform.Platform) bool {
	return about(rs, LabelOS, betaOS).allows(p.OS) && about(rs, LabelArch, betaArch).allows(p.Arch)
}

// A conflict is a rule of the Pod that leaves no node for its images.
type conflict struct{ rule pod.Requirement }

func (c *conflict) Error() string { return describe(c.rule) }

// contradicting picks the rule to name: the first one that by itself excludes
// every platform, else the last of the rules on the architecture, else on the OS.
func contradicting(os, arch rules, l platform.List) *conflict {
	for _, r := range os {
		if !anyPlatform(l, func(p platform.Platform) bool { return passes(r, p.OS) }) {
			return &conflict{r}
		}
	}
	for _, r := range arch {
		if !anyPlatform(l, func(p platform.Platform) bool { return passes(r, p.Arch) }) {
			return &conflict{r}
		}
	}
	if len(arch) > 0 {
		return &conflict{arch[len(arch)-1]}
	}
	return &conflict{os[len(os)-1]}
}

func anyPlatform(l platform.List, f func(platform.Platform) bool) bool {
	for _, p := range l.Nodes() {
		if f(p) {
			return true
		}
	}
	return false
}

func explain(err error, images []Image, common platform.List) error {
	var c *conflict
	if !errors.As(err, &c) {
		return err
	}
	return exit.Impossiblef("%s leaves no node that can run its images, which need %s: %s", c, common, inWords(images)).OnLine(c.rule.Line, 0).
		Hint("change that rule, or build the image for the platform it asks for")
}

func describe(r pod.Requirement) string {
	s := r.Field + ": " + r.Key + " " + r.Operator
	if len(r.Values) > 0 {
		s += " [" + strings.Join(r.Values, ", ") + "]"
	}
	return s
}

func inWords(images []Image) string {
	var words []string
	for _, i := range images {
		if i.Platforms != nil {
			words = append(words, fmt.Sprintf("container %s runs %s, which is built for %s", i.Container.Name, i.Container.Image, i.Platforms))
		}
	}
	return strings.Join(words, "; ")
}
