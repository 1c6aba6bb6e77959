package index

import (
	"context"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/registry"
)

// A target is where the index goes: a repository, a layout, or nowhere.
type target interface {
	// holds reports whether the target has what is in a repository; the zero
	// Repository is a layout.
	holds(registry.Repository) bool
	// far reports whether a blob of that repository must pass through here.
	far(from registry.Repository) bool
	begin(ctx context.Context, d v1.Descriptor, from registry.Repository) (upload, error) // nil: the target has it
	putManifest(context.Context, *registry.Manifest) error                                // by its digest
	// copyReferrers copies what refers to an image of a repository; ok is false
	// if the target has no place for it.
	copyReferrers(ctx context.Context, from registry.Repository, subject v1.Hash) (n int, ok bool, err error)
	// putReferrers stores what refers to a manifest; byTag says that a tag lists
	// it. listReferrers makes sure that the tag does.
	putReferrers(ctx context.Context, subject v1.Hash, rs []registry.NewReferrer) (byTag bool, err error)
	listReferrers(ctx context.Context, subject v1.Hash, rs []registry.NewReferrer) error
	// publish has the tags name the index, which stands if it was put by its
	// digest before.
	publish(ctx context.Context, index *registry.Manifest, children []tagged, standing bool) error
}

// An upload is a blob that the target lacks, begun and not sent.
type upload interface {
	Send(ctx context.Context, open func(context.Context) (io.ReadCloser, error)) error
	Cancel(ctx context.Context)
}

// tagged is a manifest that gets a tag.
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
	logf   func(format string, args ...any)
	debugf func(format string, args ...any)
}

func (p *pushing) holds(repo registry.Repository) bool { return p.repo == repo }

func (p *pushing) far(from registry.Repository) bool { return from.Host != p.repo.Host }

func (p *pushing) begin(ctx context.Context, d v1.Descriptor, from registry.Repository) (upload, error) {
	u, err := p.client.Begin(ctx, p.repo, d, from)
	if u == nil {
		return nil, err
	}
	return u, err
}

func (p *pushing) putManifest(ctx context.Context, m *registry.Manifest) error {
	return p.client.PutManifest(ctx, p.repo.Digest(m.Digest), m)
}

func (p *pushing) copyReferrers(ctx context.Context, from registry.Repository, subject v1.Hash) (int, bool, error) {
	n, err := copyReferrers(ctx, p, from, subject, 0)
	return n, true, err
}

func (p *pushing) putReferrers(ctx context.Context, subject v1.Hash, rs []registry.NewReferrer) (bool, error) {
	return p.client.PutReferrers(ctx, p.repo, subject, rs)
}

func (p *pushing) listReferrers(ctx context.Context, subject v1.Hash, rs []registry.NewReferrer) error {
	return p.client.ListReferrers(ctx, p.repo, subject, rs)
}

// writing is the target that is an OCI layout on disk.
type writing struct {
	*layout.Layout
	tags []string
}

func (w *writing) holds(registry.Repository) bool { return false }

func (w *writing) far(from registry.Repository) bool { return from != registry.Repository{} }

func (w *writing) begin(_ context.Context, d v1.Descriptor, _ registry.Repository) (upload, error) {
	if w.Has(d) {
		return nil, nil
	}
	return &file{w.Layout, d}, nil
}

func (w *writing) putManifest(_ context.Context, m *registry.Manifest) error {
	return w.PutBytes(image.Descriptor(m), m.Bytes)
}

func (w *writing) copyReferrers(context.Context, registry.Repository, v1.Hash) (int, bool, error) {
	return 0, false, nil
}

func (w *writing) putReferrers(context.Context, v1.Hash, []registry.NewReferrer) (bool, error) {
	return false, errors.New("a layout has no place for what refers to an image")
}

func (w *writing) listReferrers(context.Context, v1.Hash, []registry.NewReferrer) error { return nil }

func (w *writing) publish(ctx context.Context, index *registry.Manifest, children []tagged, _ bool) error {
	if err := w.putManifest(ctx, index); err != nil {
		return err
	}
	for _, c := range children {
		if err := w.Tag(image.Descriptor(c.m), []string{c.tag}); err != nil {
			return err
		}
	}
	return w.Tag(image.Descriptor(index), w.tags)
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

// nowhere is the target of a dry run: it lacks nothing.
type nowhere struct{}

func (nowhere) holds(registry.Repository) bool { return true }
func (nowhere) far(registry.Repository) bool   { return false }

func (nowhere) begin(context.Context, v1.Descriptor, registry.Repository) (upload, error) {
	return nil, nil
}

func (nowhere) putManifest(context.Context, *registry.Manifest) error { return nil }

func (nowhere) copyReferrers(context.Context, registry.Repository, v1.Hash) (int, bool, error) {
	return 0, true, nil
}

func (nowhere) putReferrers(context.Context, v1.Hash, []registry.NewReferrer) (bool, error) {
	return false, nil
}

func (nowhere) listReferrers(context.Context, v1.Hash, []registry.NewReferrer) error { return nil }

func (nowhere) publish(context.Context, *registry.Manifest, []tagged, bool) error { return nil }
