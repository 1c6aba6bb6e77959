package index

import (
	"context"
	"fmt"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/registry"
)

const (
	// undoTime is how long moving tags back may take after a signal or a failure.
	undoTime = 4 * time.Second
	// landTime is how long requests that move tags may still take after a
	// signal.
	landTime = 700 * time.Millisecond
)

// A move makes a tag name a manifest.
type move struct {
	ref    registry.Reference
	m      *registry.Manifest
	before v1.Hash // what the tag named; zero if there was no such tag
	err    error
}

// landing gives a context for requests that move tags: it goes on for a moment
// after ctx ends. A request that is broken off may be carried out all the
// same, and nobody could tell.
func landing(ctx context.Context) (context.Context, context.CancelFunc) {
	land, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(landTime):
			cancel(context.Cause(ctx))
		case <-land.Done():
		}
	})
	return land, func() { stop(); cancel(nil) }
}

// moveOne stores a manifest under its only tag.
func (p *pushing) moveOne(ctx context.Context, m *move) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	defer p.hold()()
	ctx, cancel := landing(ctx)
	defer cancel()
	return p.moved(ctx, m, p.client.PutManifest(ctx, m.ref, m.m))
}

// moved settles a refusal: a tag that must not change is fine if it names the
// right manifest already.
func (p *pushing) moved(ctx context.Context, m *move, err error) error {
	if err == nil || !registry.Refused(err) {
		return err
	}
	if now, _, e := p.client.Head(ctx, m.ref); e == nil && now == m.m.Digest {
		return nil
	}
	return err
}

// moveAll moves tags at once, those of children before those of the index:
// distribution 2.8 takes a manifest for missing while it is stored a second
// time. All manifests stand already. If a tag is refused, those that have moved
// go back to what they were before.
func (p *pushing) moveAll(ctx context.Context, children, tags []*move) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	defer p.hold()()
	ctx, cancel := landing(ctx)
	defer cancel()
	done := []*move{}
	for _, moves := range [][]*move{children, tags} {
		var wg sync.WaitGroup
		for _, m := range moves {
			if m.before != m.m.Digest {
				wg.Go(func() { m.err = p.client.PutManifest(ctx, m.ref, m.m) })
			}
		}
		wg.Wait()
		done = append(done, moves...)
		for _, m := range moves {
			if m.err != nil { // one of them is enough to say what happened
				return p.moveBack(ctx, done, m.err)
			}
		}
	}
	return nil
}

// moveBack undoes what moveAll did. A tag whose move failed may have moved all
// the same, when the answer alone was lost: it is looked at first.
func (p *pushing) moveBack(ctx context.Context, moves []*move, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	var wg sync.WaitGroup
	stuck := make([]error, len(moves))
	for n, m := range moves {
		if m.before == m.m.Digest {
			continue
		}
		wg.Go(func() {
			if m.err != nil {
				if now, _, err := p.client.Head(ctx, m.ref); err == nil && now != m.m.Digest {
					return
				}
			}
			stuck[n] = p.restore(ctx, m)
		})
	}
	wg.Wait()
	e := &exit.Error{Code: exit.CodeOf(cause), Err: cause}
	left := false
	for n, err := range stuck {
		if err != nil {
			left = true
			e.Hint("%s has moved, and could not be moved back: %v", moves[n].ref, err)
		}
	}
	if !left {
		e.Hint("every tag names what it named before")
	}
	return e
}

// restore makes a tag name what it named; a tag that did not exist is deleted.
func (p *pushing) restore(ctx context.Context, m *move) error {
	if m.before == (v1.Hash{}) {
		return p.client.DeleteTag(ctx, m.ref)
	}
	old, err := p.client.Manifest(ctx, p.repo.Digest(m.before))
	if err != nil {
		return fmt.Errorf("it named %s: %w", m.before, err)
	}
	return p.client.PutManifest(ctx, m.ref, old)
}
