package index

import (
	"context"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/registry"
)

// PushLayout pushes the image, or the index of images, that an OCI layout
// holds, as it is, and gives it a tag.
func PushLayout(ctx context.Context, c *registry.Client, folder string, to registry.Reference) (v1.Hash, error) {
	at, m, err := resolve(ctx, c, layout.Name{Path: folder}.String())
	if err != nil {
		return v1.Hash{}, err
	}
	if err := c.Will(ctx, to.Repository, "pull", "push"); err != nil {
		return v1.Hash{}, err
	}
	p := &pushing{client: c, repo: to.Repository}
	if err := copyBelow(ctx, at, m, p, 0); err != nil {
		return v1.Hash{}, err
	}
	return m.Digest, c.PutManifest(ctx, to, m)
}

// copyBelow copies all that a manifest refers to, as it is, and not the
// manifest itself.
func copyBelow(ctx context.Context, from place, m *registry.Manifest, to target, depth int) error {
	if depth > maxDepth {
		return exit.Failf("copying %s: manifests stand in each other more than %d deep", m.Digest, maxDepth)
	}
	doc, err := parseManifest(m)
	if err != nil {
		return exit.Failf("copying %s: %w", m.Digest, err)
	}
	m.MediaType = doc.MediaType
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(streams)
	for _, d := range doc.Manifests {
		g.Go(func() error {
			child, err := from.manifest(gctx, d)
			if err == nil {
				err = copyBelow(gctx, from, child, to, depth+1)
			}
			if err == nil {
				err = to.putManifest(gctx, child)
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

func copyBlob(ctx context.Context, from place, d v1.Descriptor, to target) error {
	u, err := to.begin(ctx, d, from)
	if err != nil || u == nil {
		return err
	}
	return u.Send(ctx, func(ctx context.Context) (io.ReadCloser, error) { return from.open(ctx, d) })
}

// copyReferrers copies what refers to an image (signatures, SBOMs), and what
// refers to that.
func copyReferrers(ctx context.Context, c *registry.Client, from, to registry.Repository, subject v1.Hash, depth int) (n int, err error) {
	if depth > maxDepth {
		return 0, nil
	}
	rs, err := c.Referrers(ctx, from, subject)
	if err != nil {
		return 0, err
	}
	p := &pushing{client: c, repo: to}
	for _, r := range rs {
		m, err := c.Manifest(ctx, from.Digest(r.Digest))
		if err == nil {
			err = copyBelow(ctx, remote{c, from}, m, p, 0)
		}
		if err == nil && r.Tag != "" {
			err = c.PutManifest(ctx, to.Tag(r.Tag), m)
		} else if err == nil {
			err = c.PutReferrer(ctx, to, subject, m, r.Descriptor)
		}
		if err != nil {
			return n, fmt.Errorf("copying %s, which refers to %s: %w", short(r.Digest), short(subject), err)
		}
		more, err := copyReferrers(ctx, c, from, to, r.Digest, depth+1)
		if n += 1 + more; err != nil {
			return n, err
		}
	}
	return n, nil
}
