// Package retry says whether and when to try again what failed. It knows
// nothing of what is tried: registries and clusters share it.
package retry

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// A Policy says how patient to be. What bounds everything is the context's
// deadline.
type Policy struct {
	Tries int           // the first one included
	First time.Duration // the first pause; each later one is twice as long
	Most  time.Duration // no pause that nobody asked for is longer
}

// Default makes six tries over about eight seconds.
var Default = Policy{Tries: 6, First: 250 * time.Millisecond, Most: 10 * time.Second}

// Pause returns how long to wait after so many failed tries, and whether to
// try again at all. It is random, between half a pause and a whole one, so that
// clients that failed together do not come back together, and not shorter than
// what the server asked for.
func (p Policy) Pause(failed int, asked time.Duration) (d time.Duration, again bool) {
	d = p.Most
	if shift := failed - 1; shift < 30 {
		d = min(p.Most, p.First<<shift)
	}
	return max(asked, d/2+rand.N(d/2+1)), failed < p.Tries
}

// After reads a Retry-After header, seconds or a date (RFC 9110, section
// 10.2.3). It returns 0 for anything else, and for a date that is past.
func After(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil && seconds > 0 && seconds < 1<<20 {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

// Status reports whether a request answered with this status may succeed
// later.
func Status(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// Dropped reports whether a connection broke that had been made.
func Dropped(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// Fits reports whether a pause of d ends before ctx does.
func Fits(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) >= d
}

// Wait waits for d. If ctx ends first it returns the cause.
func Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
