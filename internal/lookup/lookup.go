// Package lookup asks a registry for which platforms an image is built.
package lookup

import (
	"context"
	"encoding/json"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// A Book remembers what was asked for: each reference is looked up once in a
// run, at most parallel at a time. It is safe for use by several goroutines.
type Book struct {
	client *registry.Client
	slots  *semaphore.Weighted

	mu      sync.Mutex
	answers map[string]*answer
}

type answer struct {
	once      sync.Once
	platforms platform.List
	err       error
}

// New makes a Book.
func New(client *registry.Client, parallel int) *Book {
	return &Book{client: client, slots: semaphore.NewWeighted(int64(parallel)), answers: map[string]*answer{}}
}

// Platforms gives the platforms of an image. It is never an empty list: an
// image without a platform is an error.
func (b *Book) Platforms(ctx context.Context, ref registry.Reference) (platform.List, error) {
	b.mu.Lock()
	a := b.answers[ref.String()]
	if a == nil {
		a = &answer{}
		b.answers[ref.String()] = a
	}
	b.mu.Unlock()
	a.once.Do(func() {
		if a.err = b.slots.Acquire(ctx, 1); a.err != nil {
			return
		}
		defer b.slots.Release(1)
		a.platforms, a.err = b.ask(ctx, ref)
	})
	return a.platforms, a.err
}

// manifest has the fields of an index and of an image's manifest that matter:
// image-spec v1.1 (image-index.md, manifest.md) and Docker's schema 2.
type manifest struct {
	MediaType types.MediaType `json:"mediaType"`
	Manifests []child         `json:"manifests"`
	Config    *v1.Descriptor  `json:"config"`
}

type child struct {
	v1.Descriptor
	ArtifactType string `json:"artifactType"`
}

func (b *Book) ask(ctx context.Context, ref registry.Reference) (platform.List, error) {
	m, err := b.manifest(ctx, ref)
	if err != nil {
		return nil, err
	}
	if m.Manifests == nil {
		p, err := b.config(ctx, ref, m)
		return platform.NewList(p), err
	}
	var mu sync.Mutex
	var found []platform.Platform
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range m.Manifests {
		if !c.runs() {
			continue
		}
		g.Go(func() error {
			p, err := b.child(ctx, ref, c)
			mu.Lock()
			defer mu.Unlock()
			found = append(found, p)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, exit.Failf("reading %s: the index holds no image", ref)
	}
	return platform.NewList(found...), nil
}

// runs reports whether a child of an index is an image to run. BuildKit marks
// attestations by an annotation and the platform unknown/unknown
// (https://docs.docker.com/build/metadata/attestations/attestation-storage/).
func (c child) runs() bool {
	if c.Annotations["vnd.docker.reference.type"] != "" || c.ArtifactType != "" && !types.MediaType(c.ArtifactType).IsConfig() {
		return false
	}
	if c.MediaType != "" && !c.MediaType.IsImage() {
		return false
	}
	return c.Platform == nil || c.Platform.OS != "unknown" && c.Platform.Architecture != "unknown"
}

// child gives the platform that the index states, else that of the config.
func (b *Book) child(ctx context.Context, ref registry.Reference, c child) (platform.Platform, error) {
	if p := c.Platform; p != nil && p.OS != "" && p.Architecture != "" {
		return parse(ref, p.OS, p.Architecture, p.Variant)
	}
	ref = ref.Repository.Digest(c.Digest)
	m, err := b.manifest(ctx, ref)
	if err != nil {
		return platform.Platform{}, err
	}
	return b.config(ctx, ref, m)
}

func (b *Book) manifest(ctx context.Context, ref registry.Reference) (*manifest, error) {
	raw, err := b.client.Manifest(ctx, ref)
	if err != nil {
		return nil, err
	}
	m := &manifest{}
	if err := json.Unmarshal(raw.Bytes, m); err != nil {
		return nil, exit.Failf("reading %s: its manifest is no JSON: %w", ref, err)
	}
	return m, nil
}

func (b *Book) config(ctx context.Context, ref registry.Reference, m *manifest) (platform.Platform, error) {
	if m.Config == nil {
		return platform.Platform{}, exit.Failf("reading %s: its manifest is neither an image's nor an index", ref)
	}
	raw, err := b.client.Blob(ctx, ref.Repository, *m.Config)
	if err != nil {
		return platform.Platform{}, err
	}
	var config struct{ OS, Architecture, Variant string }
	if err := json.Unmarshal(raw, &config); err != nil {
		return platform.Platform{}, exit.Failf("reading the config of %s: %w", ref, err)
	}
	return parse(ref, config.OS, config.Architecture, config.Variant)
}

func parse(ref registry.Reference, os, arch, variant string) (platform.Platform, error) {
	p, err := platform.FromConfig(os, arch, variant)
	if err != nil {
		return p, exit.Failf("reading %s: %w", ref, err)
	}
	return p, nil
}
