package index

import (
	"context"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

// A reading is what a source turned out to be.
type reading struct {
	source Source
	images []*found
	// skipped are images of an index that the source's platform leaves out.
	skipped []platform.Platform
	// err is why a source that may be missing is.
	err error
}

// A found image has been read, and checked against nothing yet.
type found struct {
	source       Source
	in           store
	manifest     *image.Manifest
	listed       *v1.Descriptor // as the index that it comes from has it; nil if it comes from none
	config       *image.Config  // nil if nothing needed it
	attestations []Attestation
	verification *verify.Verification // nil if it was not verified, or is yet to be
	unverified   *verify.Subject      // to be verified when its layers have passed by
	blobs        []*blob              // that the target was asked for
}

// A reader reads sources. What it learns early it tells the transfer, so that
// the target is asked while the reading goes on.
type reader struct {
	client   *registry.Client
	verifier *verify.Verifier
	budget   *image.Budget
	transfer *transfer
	meter    *Meter
	note     func(format string, args ...any)
}

// all reads the manifests of all sources at once, then all configs.
func (r *reader) all(ctx context.Context, sources []Source) ([]reading, error) {
	readings := make([]reading, len(sources))
	g, ctx := errgroup.WithContext(ctx)
	for n, src := range sources {
		row := r.meter.row(src.Ref)
		g.Go(func() (err error) {
			if readings[n], err = r.source(ctx, src); absent(ctx, src, err) {
				readings[n], err = reading{source: src, err: err}, nil
			}
			row.set(src.Ref, "read")
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return readings, nil
}

// source reads an image, or the images of an index.
func (r *reader) source(ctx context.Context, src Source) (reading, error) {
	in, stored, err := resolve(ctx, r.client, src.Ref)
	if err != nil {
		return reading{}, err
	}
	from := r.in(in, src.Ref)
	m, err := from.Top(stored)
	if err != nil {
		return reading{}, err
	}
	if m.MediaType.IsImage() {
		return r.one(ctx, from, &found{source: src, in: in, manifest: m})
	}
	return r.index(ctx, from, src, in, m)
}

func (r *reader) in(s store, ref string) *image.Reader {
	return &image.Reader{Store: s, Ref: ref, Budget: r.budget}
}

func (r *reader) one(ctx context.Context, from *image.Reader, f *found) (reading, error) {
	if err := r.image(ctx, from, f, f.source.Platform); err != nil {
		return reading{}, err
	}
	return reading{source: f.source, images: []*found{f}}, nil
}

// index reads the images of an index. Attestations stay with their images.
func (r *reader) index(ctx context.Context, from *image.Reader, src Source, in store, m *image.Manifest) (reading, error) {
	list, err := from.List(ctx, m)
	if err != nil {
		return reading{}, err
	}
	for _, d := range list.Others {
		r.note("%s: left out: %s, which is not an image to run", src.Ref, image.Short(d.Digest))
	}
	if len(list.Images) == 0 {
		return reading{}, from.NoImage(list)
	}
	all := reading{source: src}
	g, ctx := errgroup.WithContext(ctx)
	for _, e := range list.Images {
		if p, want := e.Platform, src.Platform; p != nil && want != nil && !want.Covers(*p) && !p.Covers(*want) {
			all.skipped = append(all.skipped, *p)
			continue
		}
		f := &found{source: src, in: in, manifest: e.Manifest, config: e.Config, listed: &e.Listed}
		for _, d := range e.Attestations {
			f.attestations = append(f.attestations, Attestation{Descriptor: d})
		}
		all.images = append(all.images, f)
		g.Go(func() (err error) {
			if f.manifest == nil {
				if f.manifest, err = from.Manifest(ctx, e.Listed); err != nil {
					return err
				}
			}
			if f.manifest.MediaType.IsIndex() {
				return exit.Failf("reading %s: %s is an index, and its index says that it is an image", src.Ref, e.Listed.Digest)
			}
			// Which of an index's platforms a source means is reported for the whole
			// index.
			return r.image(ctx, from, f, e.Platform)
		})
		g.Go(func() error { return r.attestations(ctx, from, f) })
	}
	if err := g.Wait(); err != nil {
		return reading{}, err
	}
	return all, nil
}

// attestations reads those that have to be copied.
func (r *reader) attestations(ctx context.Context, from *image.Reader, f *found) error {
	if r.transfer.to.holds(f.in.repository()) {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for n := range f.attestations {
		a := &f.attestations[n]
		g.Go(func() error {
			m, err := from.Manifest(ctx, a.Descriptor)
			if err != nil {
				return err
			}
			if m.Config == nil {
				return exit.Failf("reading %s: its attestation %s is not an image", f.source.Ref, a.Descriptor.Digest)
			}
			a.Manifest = m.Stored
			a.blobs, err = r.transfer.ask(ctx, f.in, append(slices.Clone(m.Layers), *m.Config), nil)
			return err
		})
	}
	return g.Wait()
}

// image reads what is needed of an image whose manifest is there. Without a
// claim about its platform that is the config.
func (r *reader) image(ctx context.Context, from *image.Reader, f *found, claim *platform.Platform) error {
	g, ctx := errgroup.WithContext(ctx)
	config := *f.manifest.Config
	asked := make(chan bool)
	if r.transfer.to.holds(f.in.repository()) {
		close(asked)
	} else {
		g.Go(func() (err error) {
			f.blobs, err = r.transfer.ask(ctx, f.in, append(slices.Clone(f.manifest.Layers), config), &config.Digest)
			if err == nil {
				close(asked)
			}
			return err
		})
	}
	// A Windows image's os.version is in its config.
	if claim != nil && claim.OS != "windows" && r.verifier.Mode == verify.Off {
		return g.Wait()
	}
	read := make(chan bool)
	g.Go(func() (err error) {
		if f.config == nil {
			f.config, err = from.Config(ctx, f.manifest)
		}
		if err == nil {
			close(read)
		}
		return err
	})
	if r.verifier.Mode != verify.Off {
		g.Go(func() (err error) {
			of := verify.Subject{
				Ref:    f.source.Ref,
				Layers: f.manifest.Layers,
				Config: func(ctx context.Context) (*image.Config, error) {
					select {
					case <-read:
						return f.config, nil
					case <-ctx.Done():
						return nil, context.Cause(ctx)
					}
				},
				Open: f.in.open,
				Near: f.in.near(),
			}
			select {
			case <-asked:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if r.transfer.tap(f.blobs, f.manifest.Layers, r.verifier) {
				f.unverified = &of
				return nil
			}
			f.verification, err = r.verifier.Inspect(ctx, of)
			return err
		})
	}
	return g.Wait()
}
