package index

import (
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/registry"
)

// A store is where images are read from.
type store interface {
	image.Store
	open(context.Context, v1.Descriptor) (io.ReadCloser, error)
	repository() registry.Repository // zero for a layout
	near() bool                      // asking in advance costs more than it saves
}

// A remote is a repository of a registry.
type remote struct{ image.Remote }

func inRepository(c *registry.Client, repo registry.Repository) remote {
	return remote{image.Remote{Client: c, Repo: repo}}
}

func (r remote) open(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	return r.Client.Open(ctx, r.Repo, d)
}

func (r remote) repository() registry.Repository { return r.Repo }

func (r remote) near() bool { return r.Client.Near(r.Repo) }

// A local is an OCI layout on disk.
type local struct{ image.Local }

func (l local) open(_ context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	return l.Layout.Open(d)
}

func (local) repository() registry.Repository { return registry.Repository{} }

func (local) near() bool { return true }

// resolve finds what a reference names.
func resolve(ctx context.Context, c *registry.Client, ref string) (store, *registry.Manifest, error) {
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
		return inRepository(c, r.Repository), m, err
	}
	l, err := layout.Open(name.Path)
	if err != nil {
		return nil, nil, err
	}
	d, err := l.Resolve(name.Tag)
	if err != nil {
		return nil, nil, err
	}
	m, err := local{image.Local{Layout: l}}.Manifest(ctx, d)
	return local{image.Local{Layout: l}}, m, err
}

// repository returns the repository that a reference is in; ok is false for a
// layout.
func repository(ref string) (repo registry.Repository, ok bool, err error) {
	if _, isLayout, err := layout.ParseName(ref); isLayout || err != nil {
		return repo, false, err
	}
	r, err := registry.ParseReference(ref)
	return r.Repository, err == nil, err
}
