package index

import (
	"context"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/registry"
)

// A place is where images can be read from. What it gives has been checked
// against its descriptor.
type place interface {
	manifest(context.Context, v1.Descriptor) (*registry.Manifest, error)
	blob(context.Context, v1.Descriptor) ([]byte, error) // small: a config
	open(context.Context, v1.Descriptor) (io.ReadCloser, error)
}

// A remote is a repository of a registry.
type remote struct {
	client *registry.Client
	repo   registry.Repository
}

func (r remote) manifest(ctx context.Context, d v1.Descriptor) (*registry.Manifest, error) {
	m, err := r.client.Manifest(ctx, r.repo.Digest(d.Digest))
	if err == nil && int64(len(m.Bytes)) != d.Size {
		err = exit.Failf("reading %s: it has %d bytes instead of %d", r.repo.Digest(d.Digest), len(m.Bytes), d.Size)
	}
	return m, err
}

func (r remote) blob(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	return r.client.Blob(ctx, r.repo, d)
}

func (r remote) open(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	return r.client.Open(ctx, r.repo, d)
}

// A local is an OCI layout on disk.
type local struct{ *layout.Layout }

func (l local) manifest(_ context.Context, d v1.Descriptor) (*registry.Manifest, error) {
	b, err := l.Blob(d)
	return &registry.Manifest{MediaType: d.MediaType, Digest: d.Digest, Bytes: b}, err
}

func (l local) blob(_ context.Context, d v1.Descriptor) ([]byte, error) { return l.Blob(d) }

func (l local) open(_ context.Context, d v1.Descriptor) (io.ReadCloser, error) { return l.Open(d) }

// resolve finds what a reference names.
func resolve(ctx context.Context, c *registry.Client, ref string) (place, *registry.Manifest, error) {
	name, isLayout, err := layout.ParseName(ref)
	if err != nil {
		return nil, nil, err
	}
	if !isLayout {
		r, err := registry.ParseReference(ref)
		if err != nil {
			return nil, nil, err
		}
		m, err := c.Manifest(ctx, r)
		return remote{c, r.Repository}, m, err
	}
	l, err := layout.Open(name.Path)
	if err != nil {
		return nil, nil, err
	}
	d, err := l.Resolve(name.Tag)
	if err != nil {
		return nil, nil, err
	}
	m, err := local{l}.manifest(ctx, d)
	return local{l}, m, err
}

// repository gives the repository that a reference is in; ok is false for a
// layout.
func repository(ref string) (repo registry.Repository, ok bool, err error) {
	if _, isLayout, err := layout.ParseName(ref); isLayout || err != nil {
		return repo, false, err
	}
	r, err := registry.ParseReference(ref)
	return r.Repository, err == nil, err
}

// parse reads a manifest that was resolved, and settles its media type.
func parse(m *registry.Manifest, ref string) (*manifest, error) {
	doc, err := parseManifest(m)
	if err != nil {
		return nil, exit.Failf("reading %s: %w", ref, err)
	}
	m.MediaType = doc.MediaType
	return doc, nil
}

func describe(m *registry.Manifest) v1.Descriptor {
	return v1.Descriptor{MediaType: m.MediaType, Size: int64(len(m.Bytes)), Digest: m.Digest}
}

func short(d v1.Hash) string { return fmt.Sprintf("%s:%.12s", d.Algorithm, d.Hex) }
