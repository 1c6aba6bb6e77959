package index

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/registry"
)

// read reads the manifests of all sources at once, then all configs.
func (s *stitching) read(ctx context.Context) ([]*Image, error) {
	images := make([]*Image, len(s.Sources))
	g, ctx := errgroup.WithContext(ctx)
	for n, src := range s.Sources {
		g.Go(func() (err error) {
			images[n], err = s.readImage(ctx, src)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return images, nil
}

func (s *stitching) readImage(ctx context.Context, src Source) (*Image, error) {
	ref, err := registry.ParseReference(src.Ref)
	if err != nil {
		return nil, err
	}
	m, err := s.Client.Manifest(ctx, ref)
	if err != nil {
		return nil, err
	}
	doc, err := parseManifest(m)
	if err != nil {
		return nil, exit.Failf("reading %s: %w", src.Ref, err)
	}
	m.MediaType = doc.MediaType
	if doc.MediaType.IsIndex() {
		return nil, exit.Failf("reading %s: it is an index", src.Ref).Hint("name the images in it, one for each platform")
	}
	i := &Image{Source: src, Repository: ref.Repository, Manifest: m, Config: *doc.Config, Layers: doc.Layers}
	b, err := s.Client.Blob(ctx, ref.Repository, *doc.Config)
	if err != nil {
		return nil, err
	}
	i.config = &config{}
	if err := decode(b, i.config); err != nil {
		return nil, exit.Failf("reading the config of %s: %w", src.Ref, err)
	}
	if err := i.describe(); err != nil {
		return nil, exit.Failf("reading %s: %w", src.Ref, err)
	}
	return i, nil
}
