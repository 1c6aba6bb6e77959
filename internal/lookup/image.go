package lookup

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// An Image is what a reference names.
type Image struct {
	Platforms platform.List // never empty
	Digest    v1.Hash
	Single    bool // it is one image, not an index

	Reader *image.Reader
	top    *image.Manifest
	list   *image.List // of an index
}

// Read asks for an image: one request for an index, two for a single image,
// whose config says its platform.
func Read(ctx context.Context, client *registry.Client, ref registry.Reference) (*Image, error) {
	stored, err := client.Manifest(ctx, ref)
	if err != nil {
		return nil, err
	}
	i := &Image{Digest: stored.Digest, Reader: &image.Reader{Store: image.Remote{Client: client, Repo: ref.Repository}, Ref: ref.String(), Budget: &image.Budget{}}}
	if i.top, err = i.Reader.Top(stored); err != nil {
		return nil, err
	}
	if i.Single = i.top.MediaType.IsImage(); !i.Single {
		if i.list, err = i.Reader.List(ctx, i.top); err != nil {
			return nil, err
		}
	}
	i.Platforms, err = i.Reader.PlatformsOf(ctx, i.top, i.list)
	return i, err
}

// For returns the manifest that a node of the platform would run, and the
// platform that it is listed for: of several, that of the newest variant. It is
// nil if there is none.
func (i *Image) For(ctx context.Context, p platform.Platform) (*image.Manifest, platform.Platform, error) {
	var best *image.Entry
	var has platform.Platform
	if i.Single {
		if !p.Runs(i.Platforms[0]) {
			return nil, has, nil
		}
		return i.top, i.Platforms[0], nil
	}
	for n := range i.list.Images {
		e := &i.list.Images[n]
		q := e.Platform
		if q == nil {
			said, err := e.Config.Platform()
			if err != nil {
				continue
			}
			q = &said
		}
		if p.Runs(*q) && (best == nil || q.Variant > has.Variant) {
			best, has = e, *q
		}
	}
	switch {
	case best == nil:
		return nil, has, nil
	case best.Manifest != nil:
		return best.Manifest, has, nil
	}
	m, err := i.Reader.Manifest(ctx, best.Listed)
	if err == nil && !m.MediaType.IsImage() {
		err = exit.Failf("reading %s: %s is an index, and its index says that it is an image", i.Reader.Ref, best.Listed.Digest)
	}
	return m, has, err
}
