package registry

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/polyarch/polyarch/internal/retry"
)

// A pace finds out how many requests a second a host takes, and keeps to it. It
// begins without a bound; the first refusal bounds it by what went well until
// then, later ones lower it, and it rises slowly again towards the rate at
// which the last refusal came. Tries cost a limited host as much as answers do:
// what matters is that few are refused. The zero pace is ready for use.
type pace struct {
	mu      sync.Mutex
	rate    float64 // a second; 0: no bound is known
	ceiling float64 // at which requests were refused
	guess   bool    // the bound is that of the first refusal
	ramp    bool    // it is below what was ever taken, and rises quickly
	cut     time.Time
	next    time.Time // no request before
	until   time.Time // no request before, since the host said so
	good    []time.Time
	last    time.Time // of good ones
	refused int       // since then
	since   int       // good ones since the last refusal
}

const (
	// firstRate is what is tried after the first refusal of a host that took
	// fewer at once.
	firstRate = 8
	// keptGood bounds the memory of what went well in the last second.
	keptGood = 4096
	// maxDrought is how long a host may refuse everything before it is given
	// up: by then it counts hours, not seconds.
	maxDrought = 2 * time.Minute
)

// wait waits for the host's next place.
func (p *pace) wait(ctx context.Context) error {
	for {
		p.mu.Lock()
		now := time.Now()
		at := p.next
		if p.until.After(at) {
			at = p.until
		}
		if !at.After(now) {
			if p.rate > 0 {
				interval := time.Duration(float64(time.Second) / p.rate)
				if now.Sub(p.next) > interval/2 { // what a busy machine wakes us late is made up for
					p.next = now
				}
				p.next = p.next.Add(interval)
			}
			p.mu.Unlock()
			return nil
		}
		p.mu.Unlock()
		if err := retry.Wait(ctx, at.Sub(now)); err != nil {
			return err
		}
	}
}

// answered takes in the answer to a request that was sent at a time.
func (p *pace) answered(sent time.Time, resp *http.Response) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	asked := retry.After(resp.Header.Get("Retry-After"), now)
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable && asked > 0 {
		p.refusal(now, sent, asked)
		return
	}
	if resp.StatusCode >= 500 {
		return
	}
	p.last, p.refused = now, 0
	p.recent(now)
	if len(p.good) < keptGood {
		p.good = append(p.good, now)
	}
	p.since++
	switch {
	case p.guess && !sent.After(p.cut): // it was on its way
		p.rate = max(p.rate, 0.95*float64(len(p.good)))
		p.ramp = p.ramp && len(p.good) < firstRate
	case exhausted(resp.Header) && sent.After(p.cut):
		p.lower(now, 0)
	case p.rate > 0 && p.ramp:
		p.rate *= 1.1
	case p.rate > 0:
		if now.Sub(p.cut) > 30*time.Second {
			p.ceiling = math.Inf(1)
		}
		a := 0.02 * p.rate // how much faster a second
		if near := 0.97 * p.ceiling; !math.IsInf(near, 1) {
			a = max(0, near-p.rate) / 3
		}
		p.rate += a / p.rate
	}
}

func (p *pace) refusal(now, sent time.Time, asked time.Duration) {
	if sent.After(p.cut) { // else it is one of several at once
		p.refused++
		if p.rate == 0 || p.refused == 1 { // else it has taken none since the last refusal, at whatever rate
			p.lower(now, asked)
		}
		p.cut = now
	}
	if asked == 0 {
		asked = min(10*time.Second, time.Duration(math.Pow(2, float64(min(p.refused-1, 10)))*float64(time.Second)/max(p.rate/2, 0.1)))
	}
	if until := now.Add(asked); until.After(p.until) {
		p.until = until
	}
	if p.until.After(p.next) {
		p.next = p.until
	}
}

// lower bounds the rate, or lowers the bound.
func (p *pace) lower(now time.Time, asked time.Duration) {
	p.recent(now)
	went := float64(len(p.good))
	by := 0.88
	switch {
	case p.rate == 0:
		p.rate, p.ramp, p.guess = max(0.95*went, firstRate), went < firstRate, true
		p.ceiling, p.cut = math.Inf(1), now
		return
	case p.ramp && p.rate > 2.2*went: // the host had saved up
		by = max(went/p.rate, 0.25)
	case p.ramp:
		by = 0.85
	case p.since >= firstRate && now.Sub(p.until) < time.Second:
		by = 0.7
	case asked >= time.Second: // the next refusal costs as much again
		by = 0.8
	}
	p.ceiling = p.rate
	p.rate = max(by*p.rate, 0.2)
	if p.ramp {
		p.ceiling = min(p.ceiling, 1.03*p.rate)
	}
	p.ramp, p.guess, p.cut, p.since = false, false, now, 0
}

// recent forgets what went well more than a second ago.
func (p *pace) recent(now time.Time) {
	n := 0
	for n < len(p.good) && now.Sub(p.good[n]) >= time.Second {
		n++
	}
	p.good = p.good[n:]
}

// parched reports whether the host has refused everything for so long that
// waiting is of no use.
func (p *pace) parched() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.cut.IsZero() && p.refused > 0 && time.Since(p.last) > maxDrought && time.Since(p.cut) > maxDrought/4
}

// exhausted reports whether a host says that nothing remains of a window that
// is short enough to be waited for: "RateLimit-Remaining: 0;w=1", as Docker Hub
// writes it, "X-RateLimit-Remaining: 0" as others do.
func exhausted(h http.Header) bool {
	for _, name := range []string{"RateLimit-Remaining", "X-RateLimit-Remaining"} {
		n, params, _ := strings.Cut(h.Get(name), ";")
		if strings.TrimSpace(n) != "0" {
			continue
		}
		window, ok := strings.CutPrefix(strings.TrimSpace(params), "w=")
		seconds, err := strconv.Atoi(window)
		return !ok || err == nil && seconds <= 60
	}
	return false
}
