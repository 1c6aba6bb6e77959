package image

import (
	"context"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
)

// MaxDepth is how deep indexes may be nested.
const MaxDepth = 4

// BuildKit marks an attestation by an annotation and names its image by
// another (github.com/moby/buildkit, docs/attestations/attestation-storage.md).
const (
	ReferenceType   = "vnd.docker.reference.type"
	ReferenceDigest = "vnd.docker.reference.digest"
)

// An Entry is an image to run that an index lists.
type Entry struct {
	Listed       v1.Descriptor
	Platform     *platform.Platform // that the index says; nil if it says none
	Attestations []v1.Descriptor

	// Manifest and Config are those of an entry without a platform, which have
	// to be read to know what it is.
	Manifest *Manifest
	Config   *Config
}

// A List is what an index lists, indexes in it included.
type List struct {
	Images []Entry
	// Others is what no node runs: artifacts, and attestations of images that
	// the index does not have.
	Others []v1.Descriptor
}

// List reads what an index lists. An index that is listed twice is read once.
func (r *Reader) List(ctx context.Context, index *Manifest) (*List, error) {
	l := &lister{Reader: r, seen: map[v1.Hash]bool{index.Stored.Digest: true}}
	list, err := l.list(ctx, index, 0)
	if err != nil {
		return nil, err
	}
	of := map[string][]v1.Descriptor{} // attestations by their image's digest
	for _, d := range l.attestations {
		of[d.Annotations[ReferenceDigest]] = append(of[d.Annotations[ReferenceDigest]], d)
	}
	for n := range list.Images {
		e := &list.Images[n]
		e.Attestations = of[e.Listed.Digest.String()]
	}
	for _, e := range list.Images {
		delete(of, e.Listed.Digest.String())
	}
	for _, d := range l.attestations { // in their order
		if _, alone := of[d.Annotations[ReferenceDigest]]; alone {
			list.Others = append(list.Others, d)
		}
	}
	return list, nil
}

type lister struct {
	*Reader
	mu           sync.Mutex
	seen         map[v1.Hash]bool // indexes
	attestations []v1.Descriptor
}

func (l *lister) list(ctx context.Context, index *Manifest, depth int) (*List, error) {
	if depth > MaxDepth {
		return nil, exit.Failf("reading %s: its indexes are nested more than %d deep", l.Ref, MaxDepth)
	}
	if err := l.Budget.take(len(index.Manifests), 0); err != nil {
		return nil, l.fail(err)
	}
	parts := make([]*List, len(index.Manifests))
	g, gctx := errgroup.WithContext(ctx)
	for n, d := range index.Manifests {
		p := PlatformOf(d)
		switch {
		case d.Annotations[ReferenceType] != "":
			l.mu.Lock()
			l.attestations = append(l.attestations, d)
			l.mu.Unlock()
		case d.MediaType.IsIndex():
			if l.again(d.Digest) {
				continue
			}
			g.Go(func() (err error) {
				parts[n], err = l.nested(gctx, d, depth)
				return err
			})
		case !d.MediaType.IsImage() && d.MediaType != "" || d.Platform != nil && p == nil && !blank(d.Platform) || !runnable(d.ArtifactType):
			parts[n] = &List{Others: []v1.Descriptor{d}}
		case p == nil:
			g.Go(func() (err error) {
				parts[n], err = l.unmarked(gctx, d)
				return err
			})
		default:
			parts[n] = &List{Images: []Entry{{Listed: d, Platform: p}}}
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := &List{}
	for _, part := range parts {
		if part != nil {
			all.Images = append(all.Images, part.Images...)
			all.Others = append(all.Others, part.Others...)
		}
	}
	return all, nil
}

// blank reports whether a platform says nothing at all.
func blank(p *v1.Platform) bool { return p.OS == "" && p.Architecture == "" }

// again reports whether an index was seen before.
func (l *lister) again(d v1.Hash) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := l.seen[d]
	l.seen[d] = true
	return seen
}

func (l *lister) nested(ctx context.Context, d v1.Descriptor, depth int) (*List, error) {
	m, err := l.Manifest(ctx, d)
	if err != nil {
		return nil, err
	}
	return l.list(ctx, m, depth+1)
}

// unmarked finds out what an entry is that says no platform.
func (l *lister) unmarked(ctx context.Context, d v1.Descriptor) (*List, error) {
	m, err := l.Manifest(ctx, d)
	if err != nil {
		return nil, err
	}
	other := &List{Others: []v1.Descriptor{d}}
	if !m.Runnable() {
		return other, nil
	}
	c, err := l.Config(ctx, m)
	if err != nil {
		return nil, err
	}
	if c.OS == "" && c.Architecture == "" || c.OS == "unknown" { // as artifacts have it that use an image's media types
		return other, nil
	}
	return &List{Images: []Entry{{Listed: d, Manifest: m, Config: c}}}, nil
}

// Platforms returns the platforms of an image, or of all images of an index;
// never an empty list.
func (r *Reader) Platforms(ctx context.Context, m *Manifest) (platform.List, error) {
	return r.PlatformsOf(ctx, m, nil)
}

// PlatformsOf is Platforms for an index that has been listed.
func (r *Reader) PlatformsOf(ctx context.Context, m *Manifest, list *List) (platform.List, error) {
	if m.MediaType.IsImage() {
		c, err := r.Config(ctx, m)
		if err != nil {
			return nil, err
		}
		p, err := c.Platform()
		if err != nil {
			return nil, r.fail(err)
		}
		return platform.NewList(p), nil
	}
	if list == nil {
		var err error
		if list, err = r.List(ctx, m); err != nil {
			return nil, err
		}
	}
	if len(list.Images) == 0 {
		return nil, r.NoImage(list)
	}
	var found []platform.Platform
	for _, e := range list.Images {
		p := e.Platform
		if p == nil {
			said, err := e.Config.Platform()
			if err != nil {
				return nil, r.fail(err)
			}
			p = &said
		}
		found = append(found, *p)
	}
	return platform.NewList(found...), nil
}

// NoImage is the error of an index without an image to run.
func (r *Reader) NoImage(list *List) error {
	e := exit.Failf("reading %s: the index has no image to run", r.Ref)
	var kinds []string
	for _, d := range list.Others {
		kind := d.ArtifactType
		if kind == "" {
			kind = string(d.MediaType)
		}
		if kind != "" && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) > 0 {
		e.Hint("it has %s", strings.Join(kinds[:min(len(kinds), 5)], ", "))
	}
	return e
}
