package index

import (
	"context"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
)

// MissingAnnotation is that of an index which went out without platforms that
// may be missing: it lists them, separated by commas. No key of the OCI image
// specification says so (image-spec, annotations.md).
const MissingAnnotation = "polyarch.dev/missing"

// A Gap is a platform that may be missing, for which this run has no image.
type Gap struct {
	Platform platform.Platform
	Source   Source // zero if none was given
	Why      string // a clause
	// Kept is the image of the platform that the first tag named before the run,
	// and still does; zero if there is none.
	Kept v1.Hash
}

// gaps are those of a run. It is used by one goroutine at a time.
type gaps struct{ list []Gap }

func (g *gaps) add(s Source, why string) {
	g.list = append(g.list, Gap{Platform: *s.Platform, Source: s, Why: why})
}

// absent reports whether err says that a source, rather than its registry,
// fails.
func absent(ctx context.Context, s Source, err error) bool {
	return s.Optional && s.Platform != nil && ctx.Err() == nil && exit.CodeOf(err) == exit.Failed
}

// optional marks the sources that may be missing, and leaves out those that
// are.
func (j *Job) optional(g *gaps) error {
	var there []Source
	for _, s := range j.Sources {
		if s.Platform != nil && j.Optional.Covers(*s.Platform) {
			s.Optional = true
		}
		if s.Ref != "" {
			there = append(there, s)
			continue
		}
		why := s.Why
		if why == "" {
			why = "its build left nothing"
		}
		g.add(s, why)
	}
	j.Sources = there
	if len(there) == 0 && len(g.list) > 0 {
		return g.nothing()
	}
	return nil
}

// Nothing is the error of a run all of whose images may be missing, and are.
type Nothing struct{ Gaps []Gap }

func (n *Nothing) Error() string {
	ps, are := platformsOf(n.Gaps), "is"
	if len(ps) > 1 {
		are = "are"
	}
	return fmt.Sprintf("there is no image: %s %s optional, and nothing else is there", ps, are)
}

// nothing returns a Nothing with its reasons.
func (g *gaps) nothing() error {
	e := exit.Failf("stitching an index: %w", &Nothing{g.list})
	for _, one := range g.list {
		e.Hint("%s: %s", one.Platform, one.Why)
	}
	return e
}

func platformsOf(gaps []Gap) platform.List {
	var ps []platform.Platform
	for _, one := range gaps {
		ps = append(ps, one.Platform)
	}
	return platform.NewList(ps...)
}

// close settles the gaps of an index: those that no source was given for are
// added, those that another source fills are dropped, and those that an older
// image fills say so.
func (g *gaps) close(children []*child, old *older, optional platform.List) []Gap {
	all := slices.Clone(g.list)
	for _, p := range optional {
		if !slices.ContainsFunc(all, func(one Gap) bool { return p.Covers(one.Platform) }) {
			all = append(all, Gap{Platform: p, Why: "none of the sources is for it"})
		}
	}
	var left []Gap
	for _, one := range all {
		filled := false
		for _, c := range children {
			if one.Platform.Covers(c.Platform) && !c.kept {
				filled = true
			}
		}
		if filled || slices.ContainsFunc(left, func(other Gap) bool { return other.Platform == one.Platform }) {
			continue
		}
		for _, c := range old.children {
			if one.Platform.Covers(c.Platform) && one.Kept == (v1.Hash{}) {
				one.Kept = c.Descriptor.Digest
			}
		}
		left = append(left, one)
	}
	slices.SortStableFunc(left, func(a, b Gap) int { return a.Platform.Compare(b.Platform) })
	return left
}

// missing returns the platforms that an index lacks: those of this run, and
// those that an older one, which it keeps the rest of, lacked already.
func missing(children []*child, old *older, gaps []Gap) platform.List {
	var ps []platform.Platform
	for _, g := range gaps {
		if g.Kept == (v1.Hash{}) {
			ps = append(ps, g.Platform)
		}
	}
	if said, err := platform.ParseList(old.annotations[MissingAnnotation]); err == nil {
		ps = append(ps, said...)
	}
	return platform.NewList(slices.DeleteFunc(ps, func(p platform.Platform) bool {
		return slices.ContainsFunc(children, func(c *child) bool { return p.Covers(c.Platform) })
	})...)
}
