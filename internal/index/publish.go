package index

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/registry"
)

// gracePeriod is how long tags may go on moving after a signal or the time
// limit, and again how long moving them back may take.
const gracePeriod = time.Minute

// A move makes a tag name a manifest.
type move struct {
	ref    registry.Reference
	m      *registry.Manifest
	before v1.Hash // what the tag named; zero if there was no such tag
	put    bool    // the request was sent
	err    error   // of the request

	now  v1.Hash // what look found; zero if there is no such tag
	lost error   // why it found nothing out
}

func (m *move) new() bool   { return m.before == v1.Hash{} }
func (m *move) right() bool { return m.lost == nil && m.now == m.m.Digest }

// publish makes the tags name the index. A single one does so by the request
// that stores the index. Several move only when the index stands, and what
// they name is looked up before, so that they can move back.
func (p *pushing) publish(ctx context.Context, index *registry.Manifest, children []tagged, standing bool) error {
	var tags, ofChildren []*move
	for _, tag := range p.tags {
		tags = append(tags, &move{ref: p.repo.Tag(tag), m: index})
	}
	for _, c := range children {
		ofChildren = append(ofChildren, &move{ref: p.repo.Tag(c.tag), m: c.m})
	}
	if len(tags) == 1 && len(ofChildren) == 0 {
		return p.move(ctx, tags)
	}
	g, gctx := errgroup.WithContext(ctx)
	if !standing {
		g.Go(func() error { return p.putManifest(gctx, index) })
	}
	for _, m := range slices.Concat(ofChildren, tags) {
		g.Go(func() (err error) {
			m.before, _, err = p.client.Head(gctx, m.ref)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return p.move(ctx, steps(ofChildren, tags)...)
}

// steps says which tags move at once. Those that exist come first: not every
// registry can delete one that is new. Those of children do not move together
// with those of the index: distribution 2.8 takes a manifest for missing while
// it is stored a second time.
func steps(all ...[]*move) [][]*move {
	var steps [][]*move
	for _, created := range []bool{false, true} {
		for _, moves := range all {
			some := slices.DeleteFunc(slices.Clone(moves), func(m *move) bool { return m.new() != created || m.before == m.m.Digest })
			if len(some) > 0 {
				steps = append(steps, some)
			}
		}
	}
	return steps
}

// move moves tags, step by step, and ends only when it is known what each of
// them names. When one is refused those that moved go back.
func (p *pushing) move(ctx context.Context, steps ...[]*move) error {
	defer p.hold()()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := p.lasting(ctx)
	defer cancel()
	all := slices.Concat(steps...)
	if last := len(steps) - 1; last >= 0 && len(all) > 1 && len(steps[last]) > 1 && steps[last][0].new() {
		p.debugf("%s are new: where %s cannot delete tags they stay if another one is refused", names(steps[last]), p.repo.Host)
	}
	for _, moves := range steps {
		var wg sync.WaitGroup
		for _, m := range moves {
			m.put = true
			wg.Go(func() { m.err = p.client.PutManifest(ctx, m.ref, m.m) })
		}
		wg.Wait()
		if err := p.failed(ctx, moves); err != nil {
			return p.moveBack(ctx, all, err)
		}
	}
	if len(all) > 1 {
		p.look(ctx, all)
		return p.overtaken(all)
	}
	return nil
}

// failed returns the error of a tag that did not move. One may have moved
// though the answer was lost, and one that must not change may be right
// already.
func (p *pushing) failed(ctx context.Context, moves []*move) error {
	var cause error
	var doubtful []*move
	for _, m := range moves {
		if m.err != nil {
			doubtful = append(doubtful, m)
		}
	}
	p.look(ctx, doubtful)
	for _, m := range doubtful {
		if !m.right() && cause == nil {
			cause = m.err
		}
	}
	return cause
}

// look finds out what tags name now.
func (p *pushing) look(ctx context.Context, moves []*move) {
	var wg sync.WaitGroup
	for _, m := range moves {
		wg.Go(func() { m.now, _, m.lost = p.client.Head(ctx, m.ref) })
	}
	wg.Wait()
}

// lasting returns a context that outlives ctx for a while: a request to move a
// tag that is broken off may be carried out all the same.
func (p *pushing) lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	last, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		p.logf("%v: tags are being moved, which ends within %s; a second signal ends it at once", exit.Why(ctx), gracePeriod)
		select {
		case <-time.After(gracePeriod):
			cancel(context.Cause(ctx))
		case <-last.Done():
		}
	})
	return last, func() { stop(); cancel(nil) }
}

// overtaken is the error of a run whose tags somebody else moved meanwhile. A
// tag that cannot be looked at is where the registry said that it is.
func (p *pushing) overtaken(moves []*move) error {
	var e *exit.Error
	for _, m := range moves {
		if m.lost != nil {
			p.logf("note: %s was moved, and could not be looked at again: %v", m.ref, m.lost)
		}
		if m.lost != nil || m.right() {
			continue
		}
		if e == nil {
			e = exit.Failf("publishing %s: while its tags moved, something else moved them as well", moves[0].ref.Repository)
		}
		e.Hint("%s", m.state())
	}
	if e == nil {
		return nil
	}
	for _, m := range moves {
		if m.right() {
			e.Hint("%s", m.state())
		}
	}
	return e.Hint("run this again when nothing else writes these tags")
}

// state says what a tag names.
func (m *move) state() string {
	switch {
	case m.lost != nil:
		return fmt.Sprintf("what %s names could not be found out: %v", m.ref, m.lost)
	case m.now == m.m.Digest:
		return fmt.Sprintf("%s names %s, of this run", m.ref, image.Short(m.now))
	case m.now == m.before && m.new():
		return fmt.Sprintf("%s does not exist, as before", m.ref)
	case m.now == m.before:
		return fmt.Sprintf("%s names %s, as before", m.ref, image.Short(m.now))
	case m.now == v1.Hash{}:
		return fmt.Sprintf("%s does not exist any more", m.ref)
	}
	return fmt.Sprintf("%s names %s, which something else has put there", m.ref, image.Short(m.now))
}

// moveBack undoes what move did, as far as tags still name what this run made
// them name, and says what is left.
func (p *pushing) moveBack(ctx context.Context, moves []*move, cause error) error {
	e := &exit.Error{Code: exit.CodeOf(cause), Err: cause}
	if len(moves) == 1 && moves[0].new() { // nobody asked what it named before: nothing else may have changed
		if m := moves[0]; m.lost != nil {
			return e.Hint("%s", m.state())
		}
		return e
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gracePeriod)
	defer cancel()
	var sent []*move
	for _, m := range moves {
		if m.put {
			sent = append(sent, m)
		}
	}
	p.look(ctx, sent)
	var wg sync.WaitGroup
	stuck := make([]error, len(sent))
	for n, m := range sent {
		if m.lost == nil && m.now != m.m.Digest {
			continue // it did not move, or something else has moved it since
		}
		wg.Go(func() { stuck[n] = p.restore(ctx, m) })
	}
	wg.Wait()
	p.look(ctx, sent)
	changed := false
	for n, m := range sent {
		if m.lost == nil && m.now == m.before {
			continue
		}
		changed = true
		e.Hint("%s", m.state())
		if stuck[n] != nil {
			e.Hint("%s could not be moved back: %v", m.ref, stuck[n])
		}
	}
	if !changed {
		e.Hint("every tag names what it named before")
	}
	return e
}

// restore makes a tag name what it named; a tag that did not exist is deleted.
func (p *pushing) restore(ctx context.Context, m *move) error {
	if m.new() {
		return p.client.DeleteTag(ctx, m.ref)
	}
	old, err := p.client.Manifest(ctx, p.repo.Digest(m.before))
	if err != nil {
		return fmt.Errorf("it named %s: %w", m.before, err)
	}
	return p.client.Replace(ctx, m.ref, m.m.Digest, old)
}

// names lists the tags of moves.
func names(moves []*move) string {
	var all []string
	for _, m := range moves {
		all = append(all, m.ref.Tag)
	}
	return strings.Join(all, ", ")
}
