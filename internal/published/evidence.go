package published

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/registry"
)

// A dossier is all that refers to one digest.
type dossier struct {
	once  flight
	err   error
	parts []*part
	own   part // what is wrong with the lists
}

// evidence looks at what refers to an image, or to an index.
func (r *root) evidence(ctx context.Context, subject v1.Hash, label string) error {
	if r.client == nil {
		return nil
	}
	r.place.mu.Lock()
	e := r.dossiers[subject]
	if e == nil {
		e = &dossier{}
		r.dossiers[subject] = e
	}
	r.place.mu.Unlock()
	e.once.do(func() { e.err = r.gather(ctx, e, subject, label) })
	for _, p := range e.parts {
		r.count(p)
	}
	r.take(&e.own, label)
	return e.err
}

// gather looks by the API of referrers, by the tag that stands in for it, and by
// cosign's tags (distribution-spec, "Referrers Tag Schema"; sigstore/cosign,
// specs/SIGNATURE_SPEC.md).
func (r *root) gather(ctx context.Context, e *dossier, subject v1.Hash, label string) error {
	list, cosign := registry.EvidenceTags(subject)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		ds, _, err := r.client.ReferrerLists(ctx, r.repo, subject)
		if err != nil {
			return err
		}
		return r.referrers(ctx, e, ds, subject, label)
	})
	if r.mayHave(list) {
		g.Go(func() error {
			m, ok, err := r.client.Lookup(ctx, r.repo.Tag(list))
			if err != nil || !ok {
				return err
			}
			doc, err := r.from.Top(m)
			if err != nil {
				return e.own.explain(ctx, err, Referrer, label, m.Digest, "the list of what refers to it, "+list+",")
			}
			return r.referrers(ctx, e, doc.Manifests, subject, label)
		})
	}
	for _, tag := range cosign {
		if r.mayHave(tag) {
			g.Go(func() error { return r.signature(ctx, e, tag, label) })
		}
	}
	return g.Wait()
}

func (e *dossier) add(p *part) {
	e.own.mu.Lock()
	defer e.own.mu.Unlock()
	e.parts = append(e.parts, p)
}

// referrers looks at a list of what refers to subject.
func (r *root) referrers(ctx context.Context, e *dossier, ds []v1.Descriptor, subject v1.Hash, label string) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range ds {
		if !d.MediaType.IsImage() && !d.MediaType.IsIndex() {
			e.own.note("%s refers to it and was not looked into: it is %q", image.Short(d.Digest), d.MediaType)
			continue
		}
		g.Go(func() error {
			p, err := r.artifact(ctx, d, Referrer, label, "what refers to it,")
			if err != nil {
				return err
			}
			e.add(p)
			if p.subject != nil && p.subject.Digest != subject {
				e.own.add(Finding{Kind: Referrer, Platform: label, Digest: d.Digest.String(), Message: fmt.Sprintf("%s is listed as referring to %s, and refers to %s", image.Short(d.Digest), image.Short(subject), image.Short(p.subject.Digest))})
			}
			return nil
		})
	}
	return g.Wait()
}

// artifact looks at a manifest that is no image to run, which something lists.
func (r *root) artifact(ctx context.Context, d v1.Descriptor, kind Kind, label, what string) (*part, error) {
	return r.part(partKey{d.Digest, true}, func(p *part) error {
		what := what + " " + image.Short(d.Digest)
		m, err := r.from.Manifest(ctx, d)
		if err != nil {
			return p.explain(ctx, err, kind, label, d.Digest, what)
		}
		var doc struct{ Subject *v1.Descriptor }
		if json.Unmarshal(m.Stored.Bytes, &doc) == nil {
			p.subject = doc.Subject
		}
		return r.stored(ctx, p, m, kind, label, "a part of "+what)
	})
}

// listed looks at what an index lists beside images.
func (r *root) listed(ctx context.Context, d v1.Descriptor, kind Kind, label, what string) error {
	p, err := r.artifact(ctx, d, kind, label, what)
	if err == nil {
		r.count(p)
	}
	return err
}

// signature looks at what cosign keeps under a tag.
func (r *root) signature(ctx context.Context, e *dossier, tag, label string) error {
	stored, ok, err := r.client.Lookup(ctx, r.repo.Tag(tag))
	if err != nil || !ok {
		return err
	}
	p, err := r.part(partKey{stored.Digest, true}, func(p *part) error {
		m, err := r.from.Top(stored)
		if err != nil {
			return p.explain(ctx, err, Signature, label, stored.Digest, tag)
		}
		return r.stored(ctx, p, m, Signature, label, "a part of "+tag)
	})
	e.add(p)
	return err
}

// count takes a piece of evidence, once.
func (r *root) count(p *part) {
	r.mu.Lock()
	known := r.counted[p]
	r.counted[p] = true
	r.image.Evidence = len(r.counted)
	r.mu.Unlock()
	if !known {
		r.take(p, "")
	}
}
