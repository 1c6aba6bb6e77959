package registry

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A distant host is sent as many requests as the bound allows, a near one few
// at a time, and every waiting request goes through in the end.
func TestGate(t *testing.T) {
	for _, c := range []struct {
		trip time.Duration
		most int
		took time.Duration // for 200 requests
	}{
		{50 * time.Millisecond, maxInFlight, 4*50*time.Millisecond + 2*nearTime},
		{time.Millisecond, nearInFlight, (200/nearInFlight + 2) * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			var g gate
			var mu sync.Mutex
			busy, most := 0, 0
			started := time.Now()
			var wg sync.WaitGroup
			for range 200 {
				wg.Go(func() {
					if err := g.enter(t.Context(), false); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					busy++
					most = max(most, busy)
					mu.Unlock()
					time.Sleep(c.trip)
					mu.Lock()
					busy--
					mu.Unlock()
					g.leave(c.trip)
				})
			}
			wg.Wait()
			if took := time.Since(started); most != c.most || took > c.took {
				t.Errorf("%s: %d at once, in %s", c.trip, most, took)
			}
		})
	}
}

// A request that gives up waiting leaves its place to others.
func TestGateGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		for range maxInFlight {
			if time.Sleep(nearTime); g.enter(t.Context(), false) != nil {
				t.Fatal("no place")
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				if n%2 == 0 {
					g.enter(ctx, false)
					return
				}
				if err := g.enter(t.Context(), false); err != nil {
					t.Error(err)
				}
				g.leave(time.Second)
			})
		}
		synctest.Wait()
		if err := g.enter(t.Context(), true); err != nil { // beyond the bound
			t.Error(err)
		}
		g.leave(time.Second)
		cancel()
		g.leave(time.Second)
		wg.Wait()
	})
}
