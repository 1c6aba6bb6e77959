// Package lookup asks registries for which platforms images are built.
package lookup

import (
	"context"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/semaphore"

	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// A Cache remembers what was asked for: each reference is looked up once in a
// run, at most parallel at a time. It is safe for use by several goroutines.
type Cache struct {
	client *registry.Client
	slots  *semaphore.Weighted

	mu      sync.Mutex
	answers map[string]*answer
}

type answer struct {
	once      sync.Once
	platforms platform.List
	digest    v1.Hash
	wider     *Wider
	err       error
}

// A Wider is the index that a tag names, where the digest that stands beside it
// is of one platform's image.
type Wider struct {
	Index     v1.Hash
	Platforms platform.List // more than the image has
	Has       bool          // the image is in the index: the tag did not move
}

// New makes a Cache.
func New(client *registry.Client, parallel int) *Cache {
	return &Cache{client: client, slots: semaphore.NewWeighted(int64(parallel)), answers: map[string]*answer{}}
}

// Platforms returns the platforms of an image. It is never an empty list: an
// image without a platform is an error.
func (c *Cache) Platforms(ctx context.Context, ref registry.Reference) (platform.List, error) {
	a := c.answer(ctx, ref)
	return a.platforms, a.err
}

// Digest returns the digest of the manifest that Platforms read.
func (c *Cache) Digest(ctx context.Context, ref registry.Reference) (v1.Hash, error) {
	a := c.answer(ctx, ref)
	return a.digest, a.err
}

// Wider returns the index that was probably meant by a reference with a tag and
// a digest, or nil.
func (c *Cache) Wider(ctx context.Context, ref registry.Reference) *Wider {
	return c.answer(ctx, ref).wider
}

func (c *Cache) answer(ctx context.Context, ref registry.Reference) *answer {
	c.mu.Lock()
	a := c.answers[ref.String()]
	if a == nil {
		a = &answer{}
		c.answers[ref.String()] = a
	}
	c.mu.Unlock()
	a.once.Do(func() {
		if a.err = c.slots.Acquire(ctx, 1); a.err != nil {
			return
		}
		defer c.slots.Release(1)
		a.err = a.ask(ctx, c.client, ref)
	})
	return a
}

func (a *answer) ask(ctx context.Context, client *registry.Client, ref registry.Reference) error {
	i, err := Read(ctx, client, ref)
	if err != nil {
		return err
	}
	a.digest, a.platforms = i.Digest, i.Platforms
	if ref.Tag != "" && ref.Digest != (v1.Hash{}) && i.Single {
		a.wider = wider(ctx, client, ref, i.Platforms)
	}
	return nil
}

// wider reads what the tag of a reference names. What cannot be read is not wider.
func wider(ctx context.Context, client *registry.Client, ref registry.Reference, has platform.List) *Wider {
	i, err := Read(ctx, client, ref.Repository.Tag(ref.Tag))
	if err != nil || i.Single || len(i.Platforms.Intersect(has)) != len(has) || len(i.Platforms) == len(has) {
		return nil
	}
	return &Wider{i.Digest, i.Platforms, slices.ContainsFunc(i.list.Images, func(e image.Entry) bool { return e.Listed.Digest == ref.Digest })}
}
