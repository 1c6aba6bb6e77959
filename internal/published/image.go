package published

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/text"
	"github.com/polyarch/polyarch/internal/verify"
)

// A root is what a reference names, while it is checked.
type root struct {
	*place
	head     head
	from     *image.Reader
	verifier *verify.Verifier
	image    *Image

	mu      sync.Mutex
	notes   []string
	counted map[*part]bool // as evidence
}

func (r *root) add(f Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.image.found = append(r.image.found, &f)
}

// take adds what was found of a part.
func (r *root) take(p *part, label string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.image.found = append(r.image.found, p.found...)
	for _, n := range p.notes {
		r.notes = append(r.notes, r.image.Reference+": "+labeled(label, n))
	}
}

func labeled(label, message string) string {
	if label == "" {
		return message
	}
	return label + ": " + message
}

// check looks at everything that the reference leads to.
func (r *root) check(ctx context.Context, m *image.Manifest) error {
	d := image.Descriptor(m.Stored)
	r.image.MediaType = string(m.MediaType)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.evidence(gctx, d.Digest, "") })
	if m.MediaType.IsImage() {
		g.Go(func() error {
			p, err := r.one(gctx, d, m, "")
			if err == nil && p.platform != nil {
				r.image.Platforms = platform.NewList(*p.platform)
				r.image.Images = append(r.image.Images, d.Digest)
			}
			return err
		})
		return g.Wait()
	}
	g.Go(func() error { return r.index(gctx, m) })
	return g.Wait()
}

// index looks at the images that an index lists, and at their evidence.
func (r *root) index(ctx context.Context, m *image.Manifest) error {
	list, err := r.from.List(ctx, m)
	if err != nil {
		return r.explain(ctx, err, Child, "", v1.Hash{}, "what it lists")
	}
	var platforms []platform.Platform
	g, gctx := errgroup.WithContext(ctx)
	for _, e := range list.Images {
		r.image.Images = append(r.image.Images, e.Listed.Digest)
		label := ""
		if e.Platform != nil {
			platforms = append(platforms, *e.Platform)
			label = e.Platform.String()
		} else if p, err := e.Config.Platform(); err == nil {
			platforms = append(platforms, p)
			label = p.String()
		}
		g.Go(func() error { return r.child(gctx, e, label) })
		g.Go(func() error { return r.evidence(gctx, e.Listed.Digest, label) })
		for _, d := range e.Attestations {
			g.Go(func() error { return r.listed(gctx, d, Attestation, label, "its attestation") })
		}
	}
	for _, d := range list.Others {
		if d.Annotations[image.ReferenceType] != "" {
			about := d.Annotations[image.ReferenceDigest]
			if h, err := v1.NewHash(about); err == nil {
				about = image.Short(h)
			} else {
				about = fmt.Sprintf("%q", text.Line(about[:min(len(about), 80)]))
			}
			r.add(Finding{Kind: Attestation, Digest: d.Digest.String(), Message: fmt.Sprintf("its attestation %s is about %s, which the index does not have", image.Short(d.Digest), about)})
			g.Go(func() error { return r.listed(gctx, d, Attestation, "", "its attestation") })
			continue
		}
		g.Go(func() error { return r.listed(gctx, d, Child, "", "what it lists beside images,") })
	}
	r.image.Platforms = platform.NewList(platforms...)
	return g.Wait()
}

// child looks at an image that an index lists.
func (r *root) child(ctx context.Context, e image.Entry, label string) error {
	p, err := r.one(ctx, e.Listed, e.Manifest, label)
	if err != nil || p.platform == nil || e.Platform == nil || p.platform.Covers(*e.Platform) || e.Platform.Covers(*p.platform) {
		return err
	}
	r.add(Finding{Kind: Platform, Platform: label, Digest: e.Listed.Digest.String(), Message: fmt.Sprintf("the config of %s says that it is for %s", image.Short(e.Listed.Digest), p.platform)})
	return nil
}

// one looks at an image. Without a manifest, it is read.
func (r *root) one(ctx context.Context, d v1.Descriptor, m *image.Manifest, label string) (*part, error) {
	p, err := r.part(partKey{digest: d.Digest}, func(p *part) error {
		if m == nil {
			var err error
			m, err = r.from.Manifest(ctx, d)
			if err != nil && missing(err) {
				p.add(Finding{Kind: Child, Platform: label, Digest: d.Digest.String(), Message: fmt.Sprintf("its image %s %s: clean-ups of untagged images remove what only an index names", image.Short(d.Digest), gone)})
				return nil
			}
			if err != nil {
				return p.explain(ctx, err, Content, label, d.Digest, "its image "+image.Short(d.Digest))
			}
		}
		if !m.MediaType.IsImage() {
			p.add(Finding{Kind: Content, Platform: label, Digest: d.Digest.String(), Message: fmt.Sprintf("%s is an index, and its index says that it is an image", image.Short(d.Digest))})
			return nil
		}
		return r.contents(ctx, p, m, label)
	})
	if err == nil {
		r.take(p, label)
	}
	return p, err
}

// errNoProgram is why an image is not verified whose config is not there, or
// that is none to run.
var errNoProgram = errors.New("it has no config of an image")

// contents looks at the config, the layers and the programs of an image.
func (r *root) contents(ctx context.Context, p *part, m *image.Manifest, label string) error {
	if !m.Runnable() {
		return r.stored(ctx, p, m, Layer, label, "a part of "+image.Short(m.Stored.Digest))
	}
	var config *image.Config
	var unread error
	read := make(chan bool)
	g, gctx := errgroup.WithContext(ctx)
	lookedUp := len(m.Layers)
	if r.verifier.Mode != verify.Off && lookedUp > 0 {
		lookedUp-- // the top one is read
	}
	g.Go(func() error { return r.layers(gctx, p, m.Layers, 0, lookedUp, label) })
	g.Go(func() (err error) {
		defer close(read)
		config, err = r.config(gctx, p, m, label)
		return err
	})
	if r.verifier.Mode != verify.Off {
		g.Go(func() error {
			v, err := r.verifier.Inspect(gctx, verify.Subject{
				Ref: r.from.Ref, Layers: m.Layers, Open: r.reading, Near: r.near(),
				Config: func(ctx context.Context) (*image.Config, error) {
					<-read // which ends with ctx
					if p.platform == nil {
						return nil, errNoProgram
					}
					return config, nil
				},
			})
			switch {
			case errors.Is(err, errNoProgram):
			case err == nil:
				p.programs(v, label, m.Stored.Digest)
			case gctx.Err() == nil && (missing(err) || exit.CodeOf(err) == exit.Failed || exit.CodeOf(err) == exit.Unreachable):
				unread = err // what is wrong with the layer, if anything, shows when it is looked up
			default:
				return err
			}
			return r.layers(gctx, p, m.Layers, lookedUp, len(m.Layers), label)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	switch {
	case unread == nil || len(p.found) > 0: // it has been said
	case exit.CodeOf(unread) == exit.Unreachable:
		return unread
	default:
		return p.explain(ctx, unread, Content, label, m.Stored.Digest, "a layer of "+image.Short(m.Stored.Digest))
	}
	return nil
}

// config reads an image's config. What is wrong with it is a finding.
func (r *root) config(ctx context.Context, p *part, m *image.Manifest, label string) (*image.Config, error) {
	c, err := r.from.Config(ctx, m)
	if err != nil {
		return nil, p.explain(ctx, err, Config, label, m.Config.Digest, "its config "+image.Short(m.Config.Digest))
	}
	if c.OS == "" && c.Architecture == "" || c.OS == "unknown" {
		return nil, nil // an artifact that uses an image's media types
	}
	said, err := c.Platform()
	if err != nil {
		p.add(Finding{Kind: Content, Platform: label, Digest: m.Config.Digest.String(), Message: text.Line(err.Error())})
		return nil, nil
	}
	p.platform = &said
	return c, nil
}

// programs says what is wrong with an image's programs.
func (p *part) programs(v *verify.Verification, label string, d v1.Hash) {
	for _, why := range v.Wrong {
		p.add(Finding{Kind: Program, Platform: label, Digest: d.String(), Message: text.Line(why)})
	}
	prefix := ""
	if !v.Proved() {
		prefix = "not verified: "
	}
	for _, n := range v.Notes {
		p.note("%s%s", prefix, text.Line(n))
	}
}

// stored looks at the blobs of what is no image to run; of names it.
func (r *root) stored(ctx context.Context, p *part, m *image.Manifest, kind Kind, label, of string) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range m.Layers {
		g.Go(func() error { return r.blob(ctx, p, d, kind, label, of) })
	}
	if m.Config != nil {
		g.Go(func() error { return r.blob(ctx, p, *m.Config, kind, label, of) })
	}
	return g.Wait()
}

// layers looks for some of an image's layers.
func (r *root) layers(ctx context.Context, p *part, all []v1.Descriptor, from, to int, label string) error {
	g, ctx := errgroup.WithContext(ctx)
	for n := from; n < to; n++ {
		if slices.ContainsFunc(all[:n], func(d v1.Descriptor) bool { return d.Digest == all[n].Digest }) {
			continue // it has been said
		}
		g.Go(func() error {
			return r.blob(ctx, p, all[n], Layer, label, fmt.Sprintf("layer %d of %d, %s,", n+1, len(all), image.Short(all[n].Digest)))
		})
	}
	return g.Wait()
}

// blob looks for a blob, of which clients fetch no other place's copy.
func (r *root) blob(ctx context.Context, p *part, d v1.Descriptor, kind Kind, label, what string) error {
	if len(d.URLs) > 0 || !d.MediaType.IsDistributable() {
		return nil
	}
	why, err := r.has(ctx, d)
	if err != nil || why == "" {
		return err
	}
	if kind == Layer && why != gone {
		kind = Content
	}
	p.add(Finding{Kind: kind, Platform: label, Digest: d.Digest.String(), Message: what + " " + text.Line(why)})
	return nil
}

// explain makes a finding of an error that says that something is not there, or
// not as it should be. Any other error is returned.
func (p *part) explain(ctx context.Context, err error, kind Kind, label string, d v1.Hash, what string) error {
	f, err := asFinding(ctx, err, kind, label, d, what)
	if f != nil {
		p.add(*f)
	}
	return err
}

func (r *root) explain(ctx context.Context, err error, kind Kind, label string, d v1.Hash, what string) error {
	f, err := asFinding(ctx, err, kind, label, d, what)
	if f != nil {
		r.add(*f)
	}
	return err
}

func asFinding(ctx context.Context, err error, kind Kind, label string, d v1.Hash, what string) (*Finding, error) {
	f := &Finding{Kind: kind, Platform: label}
	if d != (v1.Hash{}) {
		f.Digest = d.String()
	}
	switch {
	case ctx.Err() != nil || !missing(err) && exit.CodeOf(err) != exit.Failed:
		return nil, err
	case missing(err):
		f.Message = what + " " + gone
	default:
		if kind == Child || kind == Config {
			f.Kind = Content
		}
		f.Message = what + " cannot be read: " + text.Line(err.Error())
	}
	return f, nil
}
