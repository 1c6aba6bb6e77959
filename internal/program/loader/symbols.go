package loader

import (
	"fmt"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/program/object"
)

// versions checks that every version that is needed is defined
// (_dl_check_map_versions). A library that defines none only warns.
func (g *glibcProcess) versions() error {
	for _, l := range g.loaded {
		for _, need := range l.d.Needs {
			from := g.named(need.Library)
			if from == nil {
				return doubt("/%s needs %s of %s, which it does not load", l.Path, need.Version, need.Library)
			}
			if !from.d.Defines || slices.Contains(from.d.Defs, need.Version) || need.Weak {
				continue
			}
			return &Wrong{File: l.Found, Need: need.Version, Cause: fmt.Sprintf("%s %s", Name(g.v, from.Found), upTo(from.d.Defs, need.Version))}
		}
	}
	return nil
}

func (g *glibcProcess) named(name string) *loaded {
	for _, l := range g.loaded {
		if slices.Contains(l.names, name) || l.d.Soname == name || l.opened == name {
			return l
		}
	}
	return nil
}

// upTo says which versions of a series a library has: GLIBC_2.36 where
// GLIBC_2.38 is needed.
func upTo(defs []string, want string) string {
	series, _, ok := strings.Cut(want, "_")
	if !ok {
		return "does not have it"
	}
	best := ""
	for _, d := range defs {
		if v, ok := strings.CutPrefix(d, series+"_"); ok && v != "" && v[0] >= '0' && v[0] <= '9' && (best == "" || older(best, v)) {
			best = v
		}
	}
	if best == "" {
		return "does not have it"
	}
	return "has up to " + best
}

// older compares versions number by number.
func older(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for n := range min(len(x), len(y)) {
		if len(x[n]) != len(y[n]) {
			return len(x[n]) < len(y[n])
		}
		if x[n] != y[n] {
			return x[n] < y[n]
		}
	}
	return len(x) < len(y)
}

// symbols checks that what is looked up at the start is found. What is looked
// up when it is first called is a reason to doubt alone.
func (p *process) symbols(versions bool) error {
	var lazy error
	for _, l := range p.loaded {
		if l.d.Symbols == nil {
			continue
		}
		for _, r := range l.d.Symbols.Refs {
			found := false
			for _, from := range p.loaded {
				if from == l && r.Others || !from.d.Has(r, versions) {
					continue
				}
				found = true
				if versions && r.Version != "" && !from.d.Versioned && needs(l.d, r.Version, from) {
					return doubt("%s has no versions at all, and /%s needs %s of it", Name(p.v, from.Found), l.Path, r.Version)
				}
				break
			}
			switch {
			case found:
			case r.Lazy && versions && !p.bindNow && !l.d.BindNow:
				if lazy == nil {
					lazy = doubt("/%s calls %s, which none of its libraries has", l.Path, symbol(r))
				}
			default:
				return &Wrong{File: l.Found, Need: "the symbol " + symbol(r), Cause: "none of its libraries has it"}
			}
		}
	}
	return lazy
}

func symbol(r object.Ref) string {
	if r.Version != "" {
		return r.Name + "@" + r.Version
	}
	return r.Name
}

// needs reports whether a file needs a version of that very library, which
// glibc asserts to have versions then.
func needs(d *object.Dynamic, version string, of *loaded) bool {
	return slices.ContainsFunc(d.Needs, func(n object.VersionNeed) bool {
		return n.Version == version && (slices.Contains(of.names, n.Library) || of.d.Soname == n.Library)
	})
}
