// Package lookup asks registries for which platforms images are built.
package lookup

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

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
	err       error
}

// New makes a Cache.
func New(client *registry.Client, parallel int) *Cache {
	return &Cache{client: client, slots: semaphore.NewWeighted(int64(parallel)), answers: map[string]*answer{}}
}

// Platforms returns the platforms of an image. It is never an empty list: an
// image without a platform is an error.
func (c *Cache) Platforms(ctx context.Context, ref registry.Reference) (platform.List, error) {
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
		a.platforms, a.err = c.ask(ctx, ref)
	})
	return a.platforms, a.err
}

func (c *Cache) ask(ctx context.Context, ref registry.Reference) (platform.List, error) {
	i, err := Read(ctx, c.client, ref)
	if err != nil {
		return nil, err
	}
	return i.Platforms, nil
}
