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
	if src.Platform != nil && src.Platform.OS != "windows" && s.Verify == VerifyOff { // a Windows image's os.version is in its config
		return i, i.describe()
	}
	if err := s.look(ctx, i); err != nil {
		return nil, err
	}
	if err := i.describe(); err != nil {
		return nil, exit.Failf("reading %s: %w", src.Ref, err)
	}
	return i, nil
}

// look reads the image's config and, at the same time, its layers.
func (s *stitching) look(ctx context.Context, i *Image) error {
	ready := make(chan *config, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		b, err := s.Client.Blob(ctx, i.Repository, i.Config)
		if err != nil {
			return err
		}
		c := &config{}
		if err := decode(b, c); err != nil {
			return exit.Failf("reading the config of %s: %w", i.Source.Ref, err)
		}
		i.config = c
		ready <- c
		return nil
	})
	if s.Verify != VerifyOff {
		g.Go(func() (err error) {
			i.Verification, err = s.inspect(ctx, i, ready)
			return err
		})
	}
	return g.Wait()
}
