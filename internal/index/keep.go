package index

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// A standing is what a tag of the target names before the run.
type standing struct {
	ref  registry.Reference
	from *image.Reader
	m    *image.Manifest
	has  []kind // with KeepPlatforms
}

// standing reads what the tags name, as far as the run needs it: the first one
// to append to, all of them for platforms that must stay. A tag that does not
// exist is nil.
func (r *reader) standing(ctx context.Context, j Job) ([]*standing, error) {
	tags := j.Tags
	if !j.KeepPlatforms {
		tags = tags[:1]
	}
	all := make([]*standing, len(tags))
	g, ctx := errgroup.WithContext(ctx)
	for n, tag := range tags {
		g.Go(func() error {
			ref := j.Target.Tag(tag)
			stored, ok, err := r.client.Lookup(ctx, ref)
			if err != nil || !ok {
				return err
			}
			s := &standing{ref: ref, from: r.in(inRepository(r.client, j.Target), ref.String())}
			if s.m, err = s.from.Top(stored); err == nil && j.KeepPlatforms {
				s.has, err = s.kinds(ctx)
			}
			all[n] = s
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return all, nil
}

// A kind is what a client chooses an image by.
type kind struct {
	platform.Platform
	build string // of Windows, 10.0.20348: its containers run on hosts of their own build; empty: any
}

func newKind(p platform.Platform, osVersion string) kind {
	k := kind{Platform: p}
	if parts := strings.Split(osVersion, "."); p.OS == "windows" && len(parts) >= 3 && strings.Trim(osVersion, ".0123456789") == "" {
		k.build = strings.Join(parts[:3], ".") // what follows changes with every update
	}
	return k
}

func (k kind) String() string {
	if k.build == "" {
		return k.Platform.String()
	}
	return fmt.Sprintf("%s (%s)", k.Platform, k.build)
}

// kinds returns what can be pulled by the tag: of an index without a request
// more, where it says its platforms.
func (s *standing) kinds(ctx context.Context) ([]kind, error) {
	if s.m.MediaType.IsImage() {
		if !s.m.Runnable() {
			return nil, nil
		}
		c, err := s.from.Config(ctx, s.m)
		if err != nil || c.OS == "" && c.Architecture == "" { // a chart, for one
			return nil, err
		}
		p, err := c.Platform()
		if err != nil {
			return nil, exit.Failf("reading %s: %w", s.ref, err)
		}
		return []kind{newKind(p, c.OSVersion)}, nil
	}
	list, err := s.from.List(ctx, s.m)
	if err != nil {
		return nil, err
	}
	var all []kind
	for _, e := range list.Images {
		p, version := e.Platform, ""
		if l := e.Listed.Platform; l != nil {
			version = l.OSVersion
		}
		if p == nil {
			said, err := e.Config.Platform()
			if err != nil {
				return nil, exit.Failf("reading %s: %w", s.ref, err)
			}
			p, version = &said, e.Config.OSVersion
		}
		if k := newKind(*p, version); !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	return all, nil
}

// serves reports whether a client that pulled a k pulls c instead.
func (k kind) serves(c *child) bool {
	is := newKind(c.Platform, c.Descriptor.Platform.OSVersion)
	if k.build != "" && is.build != "" && k.build != is.build {
		return false
	}
	// linux/arm leaves open which one it is, and clients take it for v7; other
	// architectures without a variant are their oldest one
	return k.Platform == is.Platform || k.Arch == "arm" && (k.Covers(is.Platform) || k.Variant == "v7" && is.Covers(k.Platform))
}

// kept refuses an index that lacks a platform which one of the tags has now.
func kept(before []*standing, children []*child, appended bool) error {
	var e *exit.Error
	most := 0
	for _, s := range before {
		if s == nil {
			continue
		}
		var lost []string
		for _, k := range s.has {
			if !slices.ContainsFunc(children, k.serves) {
				lost = append(lost, k.String())
			}
		}
		if lost == nil {
			continue
		}
		most = max(most, len(lost))
		said := fmt.Sprintf("checking %s: it would lose %s, which it has now and the new index lacks", s.ref, strings.Join(lost, ", "))
		if e == nil {
			e = exit.Impossiblef("%s", said)
		} else {
			e.Hint("%s", said)
		}
	}
	if e == nil {
		return nil
	}
	them := "it"
	if most > 1 {
		them = "them"
	}
	if appended {
		e.Hint("--append keeps the platforms of the first tag only: add a source for %s", them)
	} else {
		e.Hint("add a source for %s, or --append to keep the images that the first tag has", them)
	}
	return e.Hint("a run without --keep-platforms drops %s", them)
}
