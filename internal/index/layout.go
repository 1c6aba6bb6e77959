package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/registry"
)

// PushLayout pushes the image, or the index of images, that an OCI image
// layout holds (image-spec, image-layout.md) and gives it a tag.
func PushLayout(ctx context.Context, c *registry.Client, folder string, to registry.Reference) (v1.Hash, error) {
	l := layout{folder, c, to.Repository}
	m, err := l.root()
	if err == nil {
		err = c.Will(ctx, to.Repository, "pull", "push")
	}
	if err == nil {
		err = l.push(ctx, m, 0)
	}
	if err == nil {
		err = c.PutManifest(ctx, to, m)
	}
	var known *exit.Error
	if err != nil && !errors.As(err, &known) && ctx.Err() == nil {
		err = exit.Failf("pushing the OCI layout in %s: %w", folder, err)
	}
	if err != nil {
		return v1.Hash{}, err
	}
	return m.Digest, nil
}

type layout struct {
	folder string
	client *registry.Client
	target registry.Repository
}

// maxDepth bounds how deep indexes may stand in each other.
const maxDepth = 4

// root gives what index.json points to.
func (l layout) root() (*registry.Manifest, error) {
	b, err := os.ReadFile(filepath.Join(l.folder, "index.json"))
	if err != nil {
		return nil, err
	}
	// Many tools leave out its media type.
	doc, err := parseManifest(&registry.Manifest{MediaType: types.OCIImageIndex, Bytes: b})
	if err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	if n := len(doc.Manifests); n != 1 {
		return nil, fmt.Errorf("index.json names %d images instead of one, or one index of them", n)
	}
	return l.manifest(doc.Manifests[0])
}

// manifest reads and checks a manifest.
func (l layout) manifest(d v1.Descriptor) (*registry.Manifest, error) {
	path, err := l.path(d.Digest)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if got, _, err := v1.SHA256(bytes.NewReader(b)); err != nil || got != d.Digest {
		return nil, fmt.Errorf("what is stored as %s has another digest", d.Digest)
	}
	return &registry.Manifest{MediaType: d.MediaType, Digest: d.Digest, Bytes: b}, nil
}

// path gives where a blob is. The digest may come from anybody.
func (l layout) path(d v1.Hash) (string, error) {
	if _, err := v1.NewHash(d.String()); err != nil || d.Algorithm != "sha256" {
		return "", fmt.Errorf("%q is no sha256 digest", d)
	}
	return filepath.Join(l.folder, "blobs", d.Algorithm, d.Hex), nil
}

// push pushes all that a manifest refers to, and not the manifest itself.
func (l layout) push(ctx context.Context, m *registry.Manifest, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("its indexes stand in each other more than %d deep", maxDepth)
	}
	doc, err := parseManifest(m)
	if err != nil {
		return fmt.Errorf("reading %s: %w", m.Digest, err)
	}
	m.MediaType = doc.MediaType
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, d := range doc.Manifests {
		g.Go(func() error {
			child, err := l.manifest(d)
			if err != nil {
				return err
			}
			if err := l.push(ctx, child, depth+1); err != nil {
				return err
			}
			return l.client.PutManifest(ctx, l.target.Digest(d.Digest), child)
		})
	}
	blobs := slices.Clone(doc.Layers)
	if doc.Config != nil {
		blobs = append(blobs, *doc.Config)
	}
	for _, d := range blobs {
		if len(d.URLs) > 0 { // not to be distributed: clients fetch it from there
			continue
		}
		g.Go(func() error { return l.pushBlob(ctx, d) })
	}
	return g.Wait()
}

func (l layout) pushBlob(ctx context.Context, d v1.Descriptor) error {
	path, err := l.path(d.Digest)
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err != nil || info.Size() != d.Size {
		return errors.Join(fmt.Errorf("the blob %s is not there with its %d bytes", d.Digest, d.Size), err)
	}
	return l.client.PutBlob(ctx, l.target, d, func(context.Context) (io.ReadCloser, error) { return os.Open(path) })
}
