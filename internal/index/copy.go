package index

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/registry"
)

// PushLayout pushes the image, or the index of images, that an OCI layout
// holds, unchanged, and tags it.
func PushLayout(ctx context.Context, c *registry.Client, folder string, to registry.Reference) (v1.Hash, error) {
	from, m, err := resolve(ctx, c, layout.Name{Path: folder}.String())
	if err != nil {
		return v1.Hash{}, err
	}
	if err := c.Expect(ctx, to.Repository, "pull", "push"); err != nil {
		return v1.Hash{}, err
	}
	p := &pushing{client: c, repo: to.Repository}
	if err := copyBelow(ctx, from, m, p, &copying{seen: map[v1.Hash]bool{}}, 0); err != nil {
		return v1.Hash{}, err
	}
	return m.Digest, c.PutManifest(ctx, to, m)
}

// copying is the state of one copy of a manifest and everything below it.
type copying struct {
	mu      sync.Mutex
	seen    map[v1.Hash]bool // manifests
	entries int
}

// first returns those of a list that were not seen before.
func (c *copying) first(ds []v1.Descriptor) ([]v1.Descriptor, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries += len(ds); c.entries > image.MaxEntries {
		return nil, fmt.Errorf("the indexes have more than %d entries", image.MaxEntries)
	}
	var some []v1.Descriptor
	for _, d := range ds {
		if !c.seen[d.Digest] {
			c.seen[d.Digest] = true
			some = append(some, d)
		}
	}
	return some, nil
}

// copyBelow copies everything that a manifest refers to, unchanged, but not the
// manifest itself.
func copyBelow(ctx context.Context, from store, m *registry.Manifest, to target, all *copying, depth int) error {
	if depth > image.MaxDepth {
		return exit.Failf("copying %s: manifests are nested more than %d deep", m.Digest, image.MaxDepth)
	}
	doc, err := image.Parse(m)
	if err != nil {
		return exit.Failf("copying %s: %w", m.Digest, err)
	}
	manifests, err := all.first(doc.Manifests)
	if err != nil {
		return exit.Failf("copying %s: %w", m.Digest, err)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(streams)
	for _, d := range manifests {
		g.Go(func() error {
			below, err := from.Manifest(gctx, d)
			if err == nil {
				err = copyBelow(gctx, from, below, to, all, depth+1)
			}
			if err == nil {
				err = to.putManifest(gctx, below)
			}
			return err
		})
	}
	blobs := slices.Clone(doc.Layers)
	if doc.Config != nil {
		blobs = append(blobs, *doc.Config)
	}
	for _, d := range blobs {
		if len(d.URLs) == 0 { // clients fetch the others from where they say
			g.Go(func() error { return copyBlob(gctx, from, d, to) })
		}
	}
	return g.Wait()
}

func copyBlob(ctx context.Context, from store, d v1.Descriptor, to target) error {
	u, err := to.begin(ctx, d, from.repository())
	if err != nil || u == nil {
		return err
	}
	return u.Send(ctx, func(ctx context.Context) (io.ReadCloser, error) { return from.open(ctx, d) })
}

// copyReferrers copies what refers to an image (signatures, SBOMs), and what
// refers to that.
func copyReferrers(ctx context.Context, to *pushing, from registry.Repository, subject v1.Hash, depth int) (n int, err error) {
	if depth > image.MaxDepth {
		return 0, nil
	}
	rs, err := to.client.Referrers(ctx, from, subject)
	if err != nil {
		return 0, err
	}
	for _, r := range rs {
		m, err := to.client.Manifest(ctx, from.Digest(r.Digest))
		if err == nil {
			err = copyBelow(ctx, inRepository(to.client, from), m, to, &copying{seen: map[v1.Hash]bool{}}, 0)
		}
		if err == nil && r.Tag != "" {
			err = to.client.PutManifest(ctx, to.repo.Tag(r.Tag), m)
		} else if err == nil {
			_, err = to.client.PutReferrers(ctx, to.repo, subject, []registry.NewReferrer{{Manifest: m, Descriptor: r.Descriptor}})
		}
		if err != nil {
			return n, fmt.Errorf("copying %s, which refers to %s: %w", image.Short(r.Digest), image.Short(subject), err)
		}
		more, err := copyReferrers(ctx, to, from, r.Digest, depth+1)
		if n += 1 + more; err != nil {
			return n, err
		}
	}
	return n, nil
}
