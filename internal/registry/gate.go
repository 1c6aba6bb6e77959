package registry

import (
	"context"
	"sync"
	"time"
)

const (
	// maxInFlight is how many requests one host is sent at a time.
	maxInFlight = 64
	// minInFlight is how many that are after it has asked for less.
	minInFlight = 4
)

// A gate bounds the requests that are under way at one host, and holds all of
// them back together when the host asks for that. The zero gate is ready for
// use.
type gate struct {
	mu      sync.Mutex
	fewer   int // by how much the bound is lower than maxInFlight
	busy    int
	since   int       // requests that went well since the bound changed
	until   time.Time // no request before
	waiting []chan struct{}
}

func (g *gate) limit() int { return maxInFlight - g.fewer }

// enter waits for a place. Whoever got one calls leave.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		wait := time.Until(g.until)
		if wait <= 0 && g.busy < g.limit() {
			g.busy++
			g.mu.Unlock()
			return nil
		}
		free := make(chan struct{})
		if wait <= 0 {
			g.waiting = append(g.waiting, free)
		}
		g.mu.Unlock()
		if wait > 0 {
			t := time.NewTimer(wait)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return context.Cause(ctx)
			}
			continue
		}
		select {
		case <-free:
		case <-ctx.Done():
			g.mu.Lock()
			select {
			case <-free: // somebody else may have it
				g.wake()
			default:
			}
			g.mu.Unlock()
			return context.Cause(ctx)
		}
	}
}

// leave frees a place.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy--
	g.since++
	if g.fewer > 0 && g.since >= 4*g.limit() { // it goes well again
		g.fewer -= min(g.fewer, g.limit()/4)
		g.since = 0
	}
	g.wake()
}

func (g *gate) wake() {
	if len(g.waiting) > 0 && g.busy < g.limit() {
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
		g.fewer = maxInFlight - max(minInFlight, g.limit()/2)
		g.since = 0
	}
	if until := now.Add(pause); until.After(g.until) {
		g.until = until
	}
}
