package index

import (
	"context"

	"golang.org/x/sync/errgroup"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// A Job is what to stitch and where to put it.
type Job struct {
	Client  *registry.Client
	Sources []Source
	Target  registry.Repository
	Tags    []string
	Expect  platform.List // platforms that the index must have; others may be there too
	Verify  Verify
	DryRun  bool // read and check everything, write nothing

	// Hold is called before the first tag moves; the tags are moved, or moved
	// back, before the function it returns is called. It may be nil.
	Hold func() (release func())
}

// A Result is the index that was made.
type Result struct {
	Index  *registry.Manifest
	Images []*Image // in the order in which they stand in the index
}

// Platforms gives the platforms of the index.
func (r *Result) Platforms() platform.List {
	var ps []platform.Platform
	for _, i := range r.Images {
		ps = append(ps, i.Platform)
	}
	return platform.NewList(ps...)
}

type stitching struct{ Job }

// Stitch reads and checks the sources, and pushes an index of them. After an
// error every tag is what it was before.
func Stitch(ctx context.Context, j Job) (*Result, error) {
	s := &stitching{j}
	if len(j.Sources) == 0 {
		return nil, check(nil)
	}
	if err := s.announce(ctx); err != nil {
		return nil, err
	}
	images, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	if err := check(images); err != nil {
		return nil, err
	}
	if err := expected(images, j.Expect); err != nil {
		return nil, err
	}
	m, err := compute(images)
	if err != nil {
		return nil, err
	}
	r := &Result{Index: m, Images: ordered(images)}
	if j.DryRun {
		return r, nil
	}
	return r, s.push(ctx, m)
}

// announce says what will be done where, so that one token serves it all.
func (s *stitching) announce(ctx context.Context) error {
	if !s.DryRun {
		if err := s.Client.Will(ctx, s.Target, "pull", "push"); err != nil {
			return err
		}
	}
	for _, src := range s.Sources {
		ref, err := registry.ParseReference(src.Ref)
		if err != nil {
			return err
		}
		if ref.Repository != s.Target {
			return exit.Usagef("stitching %s: it is not in %s", src.Ref, s.Target).Hint("push it to %s first", s.Target)
		}
		if err := s.Client.Will(ctx, ref.Repository, "pull"); err != nil {
			return err
		}
	}
	return nil
}

func (s *stitching) push(ctx context.Context, m *registry.Manifest) error {
	if len(s.Tags) == 1 {
		return s.Client.PutManifest(ctx, s.Target.Tag(s.Tags[0]), m)
	}
	before := make([]v1.Hash, len(s.Tags))
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.Client.PutManifest(gctx, s.Target.Digest(m.Digest), m) })
	for n, tag := range s.Tags {
		g.Go(func() (err error) {
			before[n], _, err = s.Client.Head(gctx, s.Target.Tag(tag))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return s.moveTags(ctx, m, before)
}
