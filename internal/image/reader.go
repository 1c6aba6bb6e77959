package image

import (
	"context"
	"fmt"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/registry"
)

// A Store is where manifests and configs are read from. What it returns has
// been checked against its descriptor.
type Store interface {
	Manifest(context.Context, v1.Descriptor) (*registry.Manifest, error)
	Blob(context.Context, v1.Descriptor) ([]byte, error) // small: a config
}

// A Reader reads what one reference names, each digest once.
type Reader struct {
	Store
	Ref    string // as the user wrote it, for errors
	Budget *Budget

	manifests, configs memo
}

// A memo remembers what was read.
type memo struct {
	mu   sync.Mutex
	read map[v1.Hash]*answer
}

type answer struct {
	once sync.Once
	m    *Manifest
	c    *Config
	err  error
}

func (m *memo) get(d v1.Hash) *answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.read == nil {
		m.read = map[v1.Hash]*answer{}
	}
	if m.read[d] == nil {
		m.read[d] = &answer{}
	}
	return m.read[d]
}

// MaxBytes is how many bytes of manifests and configs one run reads: a hundred
// times what an image of 16 platforms has.
const MaxBytes = 32 << 20

// A Budget bounds what one run reads. It is safe for use by several
// goroutines; a nil Budget has no bounds.
type Budget struct {
	mu      sync.Mutex
	entries int
	bytes   int64
}

func (b *Budget) take(entries int, bytes int64) error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries += entries
	b.bytes += bytes
	switch {
	case b.entries > MaxEntries:
		return fmt.Errorf("the indexes have more than %d entries", MaxEntries)
	case b.bytes > MaxBytes:
		return fmt.Errorf("manifests and configs have more than %d MiB", MaxBytes>>20)
	}
	return nil
}

func (r *Reader) fail(err error) error { return exit.Failf("reading %s: %w", r.Ref, err) }

// Manifest reads a manifest that another one lists as d.
func (r *Reader) Manifest(ctx context.Context, d v1.Descriptor) (*Manifest, error) {
	a := r.manifests.get(d.Digest)
	a.once.Do(func() { a.m, a.err = r.manifest(ctx, d) })
	if a.err != nil {
		return nil, a.err
	}
	if d.MediaType != "" && a.m.MediaType != d.MediaType {
		return nil, exit.Failf("reading %s: %s is %s, and its index says that it is %s", r.Ref, d.Digest, a.m.MediaType, d.MediaType)
	}
	return a.m, nil
}

func (r *Reader) manifest(ctx context.Context, d v1.Descriptor) (*Manifest, error) {
	if err := r.Budget.take(0, d.Size); err != nil {
		return nil, r.fail(err)
	}
	stored, err := r.Store.Manifest(ctx, d)
	if err != nil {
		return nil, err
	}
	m, err := Parse(stored)
	if err != nil {
		return nil, r.fail(err)
	}
	return m, nil
}

// Top parses the manifest that the reference itself names.
func (r *Reader) Top(stored *registry.Manifest) (*Manifest, error) {
	err := r.Budget.take(0, int64(len(stored.Bytes)))
	if err != nil {
		return nil, r.fail(err)
	}
	m, err := Parse(stored)
	if err != nil {
		return nil, r.fail(err)
	}
	return m, nil
}

// Config reads an image's config.
func (r *Reader) Config(ctx context.Context, m *Manifest) (*Config, error) {
	if m.Config == nil {
		return nil, exit.Failf("reading %s: it is an index, which has no config", r.Ref)
	}
	a := r.configs.get(m.Config.Digest)
	a.once.Do(func() { a.c, a.err = r.config(ctx, *m.Config) })
	return a.c, a.err
}

func (r *Reader) config(ctx context.Context, d v1.Descriptor) (*Config, error) {
	if err := r.Budget.take(0, d.Size); err != nil {
		return nil, r.fail(err)
	}
	b, err := r.Blob(ctx, d)
	if err != nil {
		return nil, err
	}
	c, err := ParseConfig(d, b)
	if err != nil {
		return nil, r.fail(err)
	}
	return c, nil
}

// A Remote is a repository as a Store.
type Remote struct {
	Client *registry.Client
	Repo   registry.Repository
}

// Manifest implements Store.
func (r Remote) Manifest(ctx context.Context, d v1.Descriptor) (*registry.Manifest, error) {
	m, err := r.Client.Manifest(ctx, r.Repo.Digest(d.Digest))
	if err == nil && int64(len(m.Bytes)) != d.Size {
		err = exit.Failf("reading %s: it has %d bytes instead of %d", r.Repo.Digest(d.Digest), len(m.Bytes), d.Size)
	}
	return m, err
}

// Blob implements Store.
func (r Remote) Blob(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	return r.Client.Blob(ctx, r.Repo, d)
}

// A Local is an OCI layout on disk as a Store.
type Local struct{ *layout.Layout }

// Manifest implements Store.
func (l Local) Manifest(_ context.Context, d v1.Descriptor) (*registry.Manifest, error) {
	b, err := l.Layout.Blob(d)
	return &registry.Manifest{MediaType: d.MediaType, Digest: d.Digest, Bytes: b}, err
}

// Blob implements Store.
func (l Local) Blob(_ context.Context, d v1.Descriptor) ([]byte, error) { return l.Layout.Blob(d) }
