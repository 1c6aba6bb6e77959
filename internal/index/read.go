package index

import (
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
)

// read reads the manifests of all sources at once, then all configs.
func (s *stitching) read(ctx context.Context) ([]*Image, error) {
	images := make([][]*Image, len(s.Sources))
	g, ctx := errgroup.WithContext(ctx)
	for n, src := range s.Sources {
		row := s.Meter.row(src.Ref)
		g.Go(func() (err error) {
			images[n], err = s.readSource(ctx, src)
			row.set(src.Ref, "read")
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(images...), nil
}

// readSource reads an image, or the images of an index.
func (s *stitching) readSource(ctx context.Context, src Source) ([]*Image, error) {
	at, m, err := resolve(ctx, s.Client, src.Ref)
	if err != nil {
		return nil, err
	}
	doc, err := parse(m, src.Ref)
	if err != nil {
		return nil, err
	}
	if doc.MediaType.IsImage() {
		i := &Image{Source: src, Manifest: m, place: at}
		return []*Image{i}, s.readImage(ctx, i, doc)
	}
	images, err := s.readIndex(ctx, src, at, doc, 0)
	if err != nil {
		return nil, err
	}
	if src.Platform == nil {
		return images, nil
	}
	var all []platform.Platform
	chosen := slices.DeleteFunc(slices.Clone(images), func(i *Image) bool {
		all = append(all, i.Platform)
		return !src.Platform.Covers(i.Platform)
	})
	if len(chosen) == 0 {
		return nil, exit.Failf("reading %s: it is an index that has nothing for %s; it has %s", src.Ref, src.Platform, platform.NewList(all...))
	}
	return chosen, nil
}

// maxDepth bounds how deep indexes may stand in each other.
const maxDepth = 4

const (
	referenceType   = "vnd.docker.reference.type"
	referenceDigest = "vnd.docker.reference.digest"
)

// readIndex reads the images of an index, and of indexes in it. An attestation
// stays with its image.
func (s *stitching) readIndex(ctx context.Context, src Source, at place, doc *manifest, depth int) ([]*Image, error) {
	if depth > maxDepth {
		return nil, exit.Failf("reading %s: its indexes stand in each other more than %d deep", src.Ref, maxDepth)
	}
	images := make([][]*Image, len(doc.Manifests))
	attestations := map[string][]v1.Descriptor{} // by their image's digest
	g, gctx := errgroup.WithContext(ctx)
	for n, d := range doc.Manifests {
		p := platformOf(d)
		switch {
		case d.Annotations[referenceType] != "":
			of := d.Annotations[referenceDigest]
			attestations[of] = append(attestations[of], d)
		case d.MediaType.IsIndex():
			g.Go(func() (err error) {
				images[n], err = s.readChildIndex(gctx, src, at, d, depth)
				return err
			})
		case !d.MediaType.IsImage() || d.Platform != nil && p == nil:
			s.note("%s: left out: %s, which is no image", src.Ref, short(d.Digest))
		case p != nil && src.Platform != nil && !src.Platform.Covers(*p) && !p.Covers(*src.Platform):
			images[n] = []*Image{{Platform: *p}} // to be named if nothing fits
		default:
			g.Go(func() error {
				i := &Image{Source: src, place: at, listed: &d}
				images[n] = []*Image{i}
				return s.readChild(gctx, i, d)
			})
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := slices.Concat(images...)
	if err := s.attach(ctx, at, all, attestations); err != nil {
		return nil, err
	}
	return all, nil
}

func (s *stitching) readChildIndex(ctx context.Context, src Source, at place, d v1.Descriptor, depth int) ([]*Image, error) {
	m, err := at.manifest(ctx, d)
	if err != nil {
		return nil, err
	}
	doc, err := parse(m, src.Ref)
	if err != nil {
		return nil, err
	}
	if doc.MediaType.IsImage() {
		return nil, exit.Failf("reading %s: %s is an image, and its index says that it is an index", src.Ref, d.Digest)
	}
	return s.readIndex(ctx, src, at, doc, depth+1)
}

func (s *stitching) readChild(ctx context.Context, i *Image, d v1.Descriptor) (err error) {
	if i.Manifest, err = i.place.manifest(ctx, d); err != nil {
		return err
	}
	doc, err := parse(i.Manifest, i.Source.Ref)
	if err != nil {
		return err
	}
	if doc.MediaType != d.MediaType {
		return exit.Failf("reading %s: %s is %s, and its index says that it is %s", i.Source.Ref, d.Digest, doc.MediaType, d.MediaType)
	}
	// Which of an index's platforms a source means is said for the whole index.
	declared := i.Source.Platform
	i.Source.Platform = nil
	err = s.readImage(ctx, i, doc)
	i.Source.Platform = declared
	return err
}

// attach puts attestations beside their images.
func (s *stitching) attach(ctx context.Context, at place, images []*Image, attestations map[string][]v1.Descriptor) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, i := range images {
		if i.Manifest == nil {
			continue
		}
		for _, d := range attestations[i.Manifest.Digest.String()] {
			i.Attestations = append(i.Attestations, Attestation{Descriptor: d})
		}
		delete(attestations, i.Manifest.Digest.String())
		if s.to == nil || s.to.holds(at) {
			continue
		}
		for n := range i.Attestations {
			g.Go(func() error { return s.readAttestation(ctx, i, &i.Attestations[n]) })
		}
	}
	return g.Wait()
}

func (s *stitching) readAttestation(ctx context.Context, i *Image, a *Attestation) (err error) {
	if a.Manifest, err = i.place.manifest(ctx, a.Descriptor); err != nil {
		return err
	}
	doc, err := parse(a.Manifest, i.Source.Ref)
	if err != nil {
		return err
	}
	if doc.Config == nil {
		return exit.Failf("reading %s: its attestation %s is no image", i.Source.Ref, a.Descriptor.Digest)
	}
	return s.beginAll(ctx, i, append(slices.Clone(doc.Layers), *doc.Config))
}

// readImage reads what is needed of an image whose manifest is there.
func (s *stitching) readImage(ctx context.Context, i *Image, doc *manifest) error {
	i.configAt, i.Layers = *doc.Config, doc.Layers
	g, gctx := errgroup.WithContext(ctx)
	if s.to != nil && !s.to.holds(i.place) {
		g.Go(func() error { return s.beginAll(gctx, i, append(slices.Clone(i.Layers), i.configAt)) })
	}
	// A Windows image's os.version is in its config.
	if p := i.claimed(); p == nil || p.OS == "windows" || s.Verify != VerifyOff {
		g.Go(func() error { return s.look(gctx, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := i.describe(); err != nil {
		return exit.Failf("reading %s: %w", i.Source.Ref, err)
	}
	return nil
}

// look reads the image's config and, at the same time, its layers.
func (s *stitching) look(ctx context.Context, i *Image) error {
	ready := make(chan *config, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		i.configText, err = i.place.blob(ctx, i.configAt)
		if err != nil {
			return err
		}
		c := &config{}
		if !strings.HasSuffix(string(i.configAt.MediaType), "json") {
			return exit.Failf("reading %s: its config is %q, so it is no image that can be run", i.Source.Ref, i.configAt.MediaType)
		}
		if err := decode(i.configText, c); err != nil {
			return exit.Failf("reading the config of %s: %w", i.Source.Ref, err)
		}
		i.config = c
		ready <- c
		return nil
	})
	if s.Verify != VerifyOff {
		g.Go(func() (err error) {
			config := func(ctx context.Context) (*config, error) {
				select {
				case c := <-ready:
					return c, nil
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
			}
			i.Verification, err = s.Verify.inspect(ctx, subject{i.Source.Ref, i.Layers, config, i.place.open})
			return err
		})
	}
	return g.Wait()
}

// note keeps something that the user should know.
func (s *stitching) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}
