// Package bases looks at the images that a build reads, before it is started:
// whether they have the platforms that it wants. Any number of them takes two
// round trips to a registry; an index that does not say the platforms of its
// entries, or lists other indexes, takes more.
//
// What cannot be looked up is a note: a builder may have the image from
// elsewhere.
package bases

import (
	"cmp"
	"slices"

	"github.com/polyarch/polyarch/internal/dockerfile"
	"github.com/polyarch/polyarch/internal/platform"
)

// A Use is a platform that an image is wanted for.
type Use struct {
	Platform platform.Platform
	Result   bool // the image that is built starts from it
	Named    bool // the Dockerfile names the platform: perhaps the builder's, which may be on another machine
}

// A Base is an image, with all its uses in all builds of a run.
type Base struct {
	Ref  string // as it is written, variables expanded
	By   string // the instruction that names it first
	Line int    // of that instruction
	Uses []Use
}

// platformsOf returns the platforms that an image is wanted for.
func platformsOf(uses []Use) platform.List {
	var ps []platform.Platform
	for _, u := range uses {
		ps = append(ps, u.Platform)
	}
	return platform.NewList(ps...)
}

// Of returns the images that builds of a file for the platforms read, by the
// lines that name them, and a note for each that cannot be named.
func Of(f *dockerfile.File, b dockerfile.Build, platforms platform.List) (all []Base, notes []string, err error) {
	place := map[string]int{}
	for _, p := range platforms {
		b.Platform = p
		some, more, err := f.Bases(b)
		if err != nil {
			return nil, nil, err
		}
		for _, one := range some {
			n, seen := place[one.Ref]
			if !seen {
				n = len(all)
				place[one.Ref] = n
				all = append(all, Base{Ref: one.Ref, By: one.By, Line: one.Line})
			}
			u := Use{one.Platform, one.Result, one.Named}
			if !slices.Contains(all[n].Uses, u) {
				all[n].Uses = append(all[n].Uses, u)
			}
		}
		for _, n := range more {
			if !slices.Contains(notes, n) {
				notes = append(notes, n)
			}
		}
	}
	slices.SortStableFunc(all, func(x, y Base) int { return cmp.Compare(x.Line, y.Line) })
	return all, notes, nil
}

// substitutes reports whether BuildKit takes an image for q where there is
// none for p (github.com/containerd/platforms, compare.go).
func substitutes(p, q platform.Platform) bool {
	return p.OS == q.OS && (p.Arch == "amd64" && q.Arch == "386" || p.Arch == "arm64" && q.Arch == "arm")
}

// lacking returns the uses that none of the platforms fits.
func lacking(uses []Use, have platform.List) []Use {
	var not []Use
	for _, u := range uses {
		if !slices.ContainsFunc(have, func(q platform.Platform) bool { return u.Platform.Runs(q) }) {
			not = append(not, u)
		}
	}
	return not
}
