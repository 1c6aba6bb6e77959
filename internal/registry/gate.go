package registry

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxInFlight is how many requests one host is sent at a time, and
	// minInFlight how many after it has asked for fewer.
	maxInFlight, minInFlight = 64, 4
	// nearInFlight is how many a host is sent that answers within nearTime:
	// there a connection costs more than it saves. While that is not known,
	// firstInFlight are sent, since more would delay each other's answers, and
	// no request waits longer than nearTime to find out.
	firstInFlight, nearInFlight, nearTime = 2, 6, 3 * time.Millisecond
)

// A gate bounds the requests that are under way at one host, and holds all of
// them back together when the host asks for that. The zero gate is ready for
// use.
type gate struct {
	mu      sync.Mutex
	fewer   int // by how much the bound is lower than maxInFlight, after refusals
	busy    int
	since   int // requests that went well since the bound changed
	near    bool
	opened  time.Time // when the first request was let through
	until   time.Time // no request before
	waiting []chan struct{}
}

func (g *gate) limit() int {
	limit := maxInFlight - g.fewer
	switch {
	case g.near:
		limit = min(limit, nearInFlight)
	case !g.opened.IsZero() && time.Since(g.opened) < nearTime:
		limit = min(limit, firstInFlight)
	}
	return limit
}

// enter waits for a place, or with beyond takes one beyond the bound. The
// caller must then call leave.
func (g *gate) enter(ctx context.Context, beyond bool) error {
	for {
		g.mu.Lock()
		now := time.Now()
		if now.Before(g.until) {
			wait := g.until.Sub(now)
			g.mu.Unlock()
			if err := g.pause(ctx, nil, wait); err != nil {
				return err
			}
			continue
		}
		if beyond || g.busy < g.limit() {
			g.busy++
			if g.opened.IsZero() {
				g.opened = now
			}
			g.mu.Unlock()
			return nil
		}
		free := make(chan struct{})
		g.waiting = append(g.waiting, free)
		wait := time.Duration(0)
		if left := nearTime - now.Sub(g.opened); left > 0 {
			wait = left
		}
		g.mu.Unlock()
		err := g.pause(ctx, free, wait)
		g.mu.Lock()
		g.waiting = slices.DeleteFunc(g.waiting, func(c chan struct{}) bool { return c == free })
		if err != nil {
			g.wake() // the place may have been for us
		}
		g.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// pause waits for a place, if there is a channel, or for a while, if there is
// one.
func (g *gate) pause(ctx context.Context, free <-chan struct{}, wait time.Duration) error {
	var over <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-free:
	case <-over:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// leave frees a place after an answer took so long to come.
func (g *gate) leave(took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy--
	g.since++
	switch { // storing takes longer than asking: one quick answer says more than slow ones
	case took < nearTime:
		g.near = true
	case took > 10*nearTime:
		g.near = false
	}
	if g.fewer > 0 && g.since >= 4*g.limit() { // it goes well again
		g.fewer -= min(g.fewer, g.limit()/4)
		g.since = 0
	}
	g.wake()
}

// wake lets as many go on as there are places.
func (g *gate) wake() {
	for n := g.limit() - g.busy; n > 0 && len(g.waiting) > 0; n-- {
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
	}
}

// slow holds all requests back for a while, and lets fewer through at a time
// from then on.
func (g *gate) slow(pause time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if !now.Before(g.until) { // the first to be told
		g.fewer = maxInFlight - max(minInFlight, (maxInFlight-g.fewer)/2)
		g.since = 0
	}
	if until := now.Add(pause); until.After(g.until) {
		g.until = until
	}
}

// Near reports whether the host of a repository answers so soon that a request
// made in advance costs more than it saves.
func (c *Client) Near(repo Repository) bool {
	g := &c.host(repo.Host).gate
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.near
}
