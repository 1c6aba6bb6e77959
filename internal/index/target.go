package index

import (
	"context"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/registry"
)

// A target is where the index goes.
type target interface {
	holds(place) bool // what is in that place is in the target, too
	begin(ctx context.Context, d v1.Descriptor, from place) (upload, error)
	putManifest(context.Context, *registry.Manifest) error // by its digest
	finish(ctx context.Context, index *registry.Manifest, children []tagged) error
}

// tagged is a child that gets a tag of its own.
type tagged struct {
	tag string
	m   *registry.Manifest
}

// pushing is the target that is a repository.
type pushing struct {
	client *registry.Client
	repo   registry.Repository
	tags   []string
	hold   func() func()
}

func (p *pushing) holds(at place) bool { return at == remote{p.client, p.repo} }

func (p *pushing) begin(ctx context.Context, d v1.Descriptor, from place) (upload, error) {
	source := p.repo
	if r, ok := from.(remote); ok {
		source = r.repo
	}
	u, err := p.client.Begin(ctx, p.repo, d, source)
	if u == nil {
		return nil, err
	}
	return u, err
}

func (p *pushing) putManifest(ctx context.Context, m *registry.Manifest) error {
	return p.client.PutManifest(ctx, p.repo.Digest(m.Digest), m)
}

// finish makes the tags name the index. A single one does so by the request
// that stores the index. Several move only when the index stands, and what
// they were is looked up meanwhile, so that they can move back.
func (p *pushing) finish(ctx context.Context, index *registry.Manifest, children []tagged) error {
	var tags, ofChildren []*move
	for _, tag := range p.tags {
		tags = append(tags, &move{ref: p.repo.Tag(tag), m: index})
	}
	for _, c := range children {
		ofChildren = append(ofChildren, &move{ref: p.repo.Tag(c.tag), m: c.m})
	}
	if len(tags) == 1 && len(ofChildren) == 0 {
		return p.moveOne(ctx, tags[0])
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.putManifest(gctx, index) })
	for _, m := range slices.Concat(ofChildren, tags) {
		g.Go(func() (err error) {
			m.before, _, err = p.client.Head(gctx, m.ref)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return p.moveAll(ctx, ofChildren, tags)
}

// writing is the target that is an OCI layout on disk.
type writing struct {
	*layout.Layout
	tags []string
}

func (w *writing) holds(place) bool { return false }

func (w *writing) begin(_ context.Context, d v1.Descriptor, _ place) (upload, error) {
	if w.Has(d) {
		return nil, nil
	}
	return &file{w.Layout, d}, nil
}

func (w *writing) putManifest(_ context.Context, m *registry.Manifest) error {
	return w.PutBytes(describe(m), m.Bytes)
}

func (w *writing) finish(ctx context.Context, index *registry.Manifest, children []tagged) error {
	if err := w.putManifest(ctx, index); err != nil {
		return err
	}
	for _, c := range children {
		if err := w.Tag(describe(c.m), []string{c.tag}); err != nil {
			return err
		}
	}
	return w.Tag(describe(index), w.tags)
}

// file is the upload to a layout.
type file struct {
	to *layout.Layout
	d  v1.Descriptor
}

func (f *file) Send(ctx context.Context, open func(context.Context) (io.ReadCloser, error)) error {
	r, err := open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	return f.to.Put(f.d, r)
}

func (f *file) Cancel(context.Context) {}
