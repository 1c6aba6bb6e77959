package published

import (
	"context"
	"fmt"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

const (
	// maxThings is how many manifests and blobs of a repository one run looks at:
	// twenty thousand images of ten layers.
	maxThings = 250_000
	// maxKept is how many bytes of manifests are kept so that none is read twice.
	maxKept = 48 << 20
)

// A place is a store, each of whose manifests and blobs is asked for once,
// however many names lead to it.
type place struct {
	store
	name string

	// of a repository; client is nil for a layout
	client  *registry.Client
	repo    registry.Repository
	tags    map[string]bool // that are known to exist
	allTags bool            // there are no others

	mu        sync.Mutex
	manifests map[v1.Hash]*reading
	kept      int
	blobs     map[blobKey]*blob
	parts     map[partKey]*part
	dossiers  map[v1.Hash]*dossier
}

func newPlace(s store, name string) *place {
	return &place{store: s, name: name, manifests: map[v1.Hash]*reading{}, blobs: map[blobKey]*blob{}, parts: map[partKey]*part{}, dossiers: map[v1.Hash]*dossier{}}
}

// A flight does something once; who comes later waits for it. Unlike those of a
// sync.Once, waiters do not hold the clock of tests.
type flight struct {
	mu   sync.Mutex
	done chan struct{}
}

func (f *flight) do(work func()) {
	f.mu.Lock()
	if done := f.done; done != nil {
		f.mu.Unlock()
		<-done
		return
	}
	f.done = make(chan struct{})
	f.mu.Unlock()
	defer close(f.done)
	work()
}

// A reading is of one manifest.
type reading struct {
	once flight
	m    *registry.Manifest // nil if it was not kept
	err  error
}

type blobKey struct {
	digest v1.Hash
	size   int64
}

type blob struct {
	once flight
	why  string
	err  error
}

// A partKey is of an image, or of evidence about one.
type partKey struct {
	digest   v1.Hash
	evidence bool
}

// full is the error of a repository that has too much.
func (p *place) full() error {
	if len(p.manifests)+len(p.blobs) <= maxThings {
		return nil
	}
	return exit.Failf("checking %s: it has more than %d manifests and layers", p.name, maxThings).Hint("name some of its tags")
}

// Manifest implements image.Store. What is returned is the caller's own.
func (p *place) Manifest(ctx context.Context, d v1.Descriptor) (*registry.Manifest, error) {
	m, err := p.read(ctx, d)
	if err == nil && int64(len(m.Bytes)) != d.Size {
		err = exit.Failf("it has %d bytes instead of %d", len(m.Bytes), d.Size)
	}
	return m, err
}

// read reads a manifest by its digest.
func (p *place) read(ctx context.Context, d v1.Descriptor) (*registry.Manifest, error) {
	p.mu.Lock()
	r := p.manifests[d.Digest]
	if r == nil {
		r = &reading{}
		p.manifests[d.Digest] = r
	}
	err := p.full()
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var now *registry.Manifest
	r.once.do(func() {
		now, r.err = p.store.manifest(ctx, d)
		if r.err == nil {
			p.keep(r, now)
		}
	})
	switch {
	case r.err != nil:
		return nil, r.err
	case r.m != nil:
		own := *r.m // parsing settles its media type
		return &own, nil
	case now != nil:
		return now, nil
	}
	return p.store.manifest(ctx, d)
}

// know makes a manifest one that was read.
func (p *place) know(m *registry.Manifest) {
	p.mu.Lock()
	r := p.manifests[m.Digest]
	if r == nil {
		r = &reading{}
		p.manifests[m.Digest] = r
	}
	p.mu.Unlock()
	r.once.do(func() { p.keep(r, m) })
}

func (p *place) keep(r *reading, m *registry.Manifest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept += len(m.Bytes); p.kept <= maxKept {
		own := *m
		r.m = &own
	}
}

// there reports whether a manifest was read.
func (p *place) there(d v1.Hash) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.manifests[d]
	return r != nil && r.err == nil
}

// has implements store.
func (p *place) has(ctx context.Context, d v1.Descriptor) (string, error) {
	key := blobKey{d.Digest, d.Size}
	p.mu.Lock()
	b := p.blobs[key]
	if b == nil {
		b = &blob{}
		p.blobs[key] = b
	}
	err := p.full()
	p.mu.Unlock()
	if err != nil {
		return "", err
	}
	b.once.do(func() { b.why, b.err = p.store.has(ctx, d) })
	return b.why, b.err
}

// reading opens a layer that is verified. One that can be read is there.
func (p *place) reading(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	r, err := p.store.open(ctx, d)
	if err != nil || p.client == nil { // a layout's has to be read to its end
		return r, err
	}
	return &witness{ReadCloser: r, seen: func() {
		p.mu.Lock()
		key := blobKey{d.Digest, d.Size}
		b := p.blobs[key]
		if b == nil {
			b = &blob{}
			p.blobs[key] = b
		}
		p.mu.Unlock()
		b.once.do(func() {})
	}}, nil
}

// A witness says when a layer was read without an error.
type witness struct {
	io.ReadCloser
	n    int64
	err  error
	seen func()
}

func (w *witness) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	w.n += int64(n)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

func (w *witness) Close() error {
	if w.n > 0 && w.err == nil {
		w.seen()
	}
	return w.ReadCloser.Close()
}

// mayHave reports whether a tag may exist.
func (p *place) mayHave(tag string) bool { return !p.allTags || p.tags[tag] }

// A part is an image, or evidence, that several references may share.
type part struct {
	once  flight
	err   error
	found []*Finding
	notes []string
	// platform is that of an image's config; nil if it has none.
	platform *platform.Platform
	subject  *v1.Descriptor // of evidence that names one

	mu sync.Mutex
}

// part calls look once for each key, and returns what it found.
func (p *place) part(key partKey, look func(*part) error) (*part, error) {
	p.mu.Lock()
	one := p.parts[key]
	if one == nil {
		one = &part{}
		p.parts[key] = one
	}
	p.mu.Unlock()
	one.once.do(func() { one.err = look(one) })
	return one, one.err
}

func (p *part) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

func (p *part) add(f Finding) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found = append(p.found, &f)
}
