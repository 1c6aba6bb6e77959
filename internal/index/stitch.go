package index

import (
	"context"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/text"
)

// A Job is what to stitch and where to put it.
type Job struct {
	Client  *registry.Client
	Sources []Source
	Target  registry.Repository
	Layout  string // if not empty, the folder of an OCI layout that the index goes to instead
	Tags    []string
	Expect  platform.List // platforms that the index must have; others may be there too
	Verify  Verify
	DryRun  bool // read and check everything, write nothing
	Options
	ChildTags bool // each child gets the first tag with its platform as a suffix
	Referrers bool // copy signatures and SBOMs with images that come from another repository
	Append    bool // keep what the first tag names now, except the platforms of the sources

	// Hold is called before the first tag moves; the tags are moved, or moved
	// back, before the function it returns is called. It may be nil.
	Hold func() (release func())
	// Meter says how far the work is while it goes on. It may be nil.
	Meter *Meter
}

// A Result is the index that was made.
type Result struct {
	Index  *registry.Manifest
	Images []*Image // in the order in which they stand in the index
	Notes  []string
}

// Platforms gives the platforms of the index.
func (r *Result) Platforms() platform.List {
	var ps []platform.Platform
	for _, i := range r.Images {
		ps = append(ps, i.Platform)
	}
	return platform.NewList(ps...)
}

type stitching struct {
	Job
	to target // nil in a dry run

	life context.Context // of the run: for what outlasts the step that begins it

	mu      sync.Mutex
	notes   []string
	blobs   map[v1.Hash]*blob
	earlies int
}

// Stitch reads and checks the sources, and puts an index of them where it
// belongs. After an error every tag is what it was before.
func Stitch(ctx context.Context, j Job) (r *Result, err error) {
	life, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &stitching{Job: j, life: life, blobs: map[v1.Hash]*blob{}}
	if s.Hold == nil {
		s.Hold = func() func() { return func() {} }
	}
	if len(j.Sources) == 0 {
		return nil, check(nil)
	}
	if err := s.announce(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.abandon(ctx)
		}
	}()
	images, old, err := s.readAll(ctx)
	if err != nil {
		return nil, err
	}
	if err := check(images); err != nil {
		return nil, err
	}
	images = old.merge(images)
	if err := expected(images, j.Expect); err != nil {
		return nil, err
	}
	m, err := compute(images, old.others, s.Options)
	if err != nil {
		return nil, err
	}
	s.Meter.settle(ordered(images))
	if s.to != nil {
		if err := s.transfer(ctx, images); err != nil {
			return nil, err
		}
		if err := s.copyReferrers(ctx, images); err != nil {
			return nil, err
		}
		if err := s.to.finish(ctx, m, s.children(images)); err != nil {
			return nil, err
		}
	}
	for _, i := range images {
		if i.row != nil {
			i.row.set(i.Platform.String(), "done")
		}
	}
	return &Result{Index: m, Images: ordered(images), Notes: s.notes}, nil
}

// readAll reads the sources and, beside them, what is appended to.
func (s *stitching) readAll(ctx context.Context) (images []*Image, old *kept, err error) {
	old = &kept{}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		images, err = s.read(ctx)
		return err
	})
	if s.Append {
		g.Go(func() (err error) {
			old, err = s.readKept(ctx)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	return images, old, nil
}

// copyReferrers copies what refers to images that come from elsewhere.
func (s *stitching) copyReferrers(ctx context.Context, images []*Image) error {
	if !s.Referrers {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, i := range images {
		at, ok := i.place.(remote)
		if !ok || s.to.holds(at) {
			continue
		}
		if _, ok := s.to.(*pushing); !ok {
			s.note("%s: what refers to it was not copied: it can be found in a registry alone", i.Source.Ref)
			continue
		}
		g.Go(func() error {
			n, err := copyReferrers(ctx, s.Client, at.repo, s.Target, i.Descriptor.Digest, 0)
			if n > 0 {
				s.note("%s: copied %s", i.Source.Ref, text.Count(n, "referrer"))
			}
			return err
		})
	}
	return g.Wait()
}

// announce settles where the index goes, and says what will be done where, so
// that one token for each registry serves it all.
func (s *stitching) announce(ctx context.Context) error {
	wanted := map[registry.Repository][]string{}
	for _, src := range s.Sources {
		repo, ok, err := repository(src.Ref)
		if err != nil {
			return err
		}
		if ok {
			wanted[repo] = []string{"pull"}
		}
	}
	hosts := map[string]bool{}
	for repo := range wanted {
		hosts[repo.Host] = true
	}
	switch {
	case s.DryRun:
	case s.Layout != "":
		l, err := layout.Create(s.Layout)
		if err != nil {
			return err
		}
		s.to = &writing{l, s.Tags}
	default:
		wanted[s.Target] = []string{"pull", "push"}
		s.to = &pushing{s.Client, s.Target, s.Tags, s.Hold}
	}
	for repo, actions := range wanted {
		if err := s.Client.Will(ctx, repo, actions...); err != nil {
			return err
		}
	}
	if _, ok := s.to.(*pushing); ok && !hosts[s.Target.Host] {
		go s.Client.Prepare(ctx, s.Target) // while the sources are read
	}
	return nil
}

// children gives the tags that children get for themselves.
func (s *stitching) children(images []*Image) []tagged {
	if !s.ChildTags {
		return nil
	}
	var ts []tagged
	for _, i := range ordered(images) {
		if i.Manifest != nil {
			ts = append(ts, tagged{ChildTag(s.Tags[0], i.Platform), i.Manifest})
		}
	}
	return ts
}

// ChildTag gives the tag of an image of the index for one platform:
// v1_linux_arm64.
func ChildTag(tag string, p platform.Platform) string { return tag + "_" + p.Slug() }
