package main

import (
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/builder"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/text"
)

// mayFail reports whether a build may fail.
func (b *building) mayFail(leg builder.Leg) bool {
	return len(leg.Platforms) == 1 && b.optional.Covers(leg.Platforms[0])
}

// optional returns the platforms that the index of a run may go out without: of
// those that the flags name, the ones that the run is about. A pipeline names
// them for clusters that do not have them, too.
func (c *config) optional(sources []index.Source) platform.List {
	if len(c.build.platforms) == 0 {
		return c.build.optional
	}
	return slices.DeleteFunc(slices.Clone(c.build.optional), func(p platform.Platform) bool {
		return !slices.ContainsFunc(c.build.platforms, p.Covers) && !slices.ContainsFunc(sources, func(s index.Source) bool { return s.Platform != nil && p.Covers(*s.Platform) })
	})
}

// withoutGaps returns the sources that the index has.
func withoutGaps(sources []index.Source, r *index.Result) []index.Source {
	return slices.DeleteFunc(slices.Clone(sources), func(s index.Source) bool {
		return s.Ref == "" || s.Platform != nil && slices.ContainsFunc(r.Gaps, func(g index.Gap) bool { return g.Source.Ref == s.Ref && g.Platform == *s.Platform })
	})
}

// warnOfGaps says which platforms there is no image for. Then says what becomes
// of one that is missing.
func (c *config) warnOfGaps(env *command.Env, to destination, r *index.Result, then string) {
	for _, g := range r.Gaps {
		what := then
		if g.Kept != (v1.Hash{}) {
			what = fmt.Sprintf("the index keeps %s, which %s has now", image.Short(g.Kept), to.repo.Tag(to.tags[0]))
		}
		env.Log.Warnf("%s is optional and has no image (%s): %s", g.Platform, text.Line(g.Why), what)
	}
}

// gap is a platform for which a run has no image, in JSON.
type gap struct {
	Platform platform.Platform `json:"platform"`
	Why      string            `json:"why"`
	Kept     string            `json:"kept,omitempty"` // the digest of the image that the tag had, and still has
}

func gapsOf(r *index.Result) []gap {
	var all []gap
	for _, g := range r.Gaps {
		one := gap{Platform: g.Platform, Why: text.Line(g.Why)}
		if g.Kept != (v1.Hash{}) {
			one.Kept = g.Kept.String()
		}
		all = append(all, one)
	}
	return all
}
