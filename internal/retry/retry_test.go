package retry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "-1": 0, "": 0, "soon": 0, "99999999999": 0,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := After(in, now); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestPause(t *testing.T) {
	p := Policy{Tries: 4, First: time.Second, Most: 3 * time.Second}
	for failed, most := range []time.Duration{1: time.Second, 2: 2 * time.Second, 3: 3 * time.Second, 4: 3 * time.Second} {
		if failed == 0 {
			continue
		}
		for range 100 {
			d, again := p.Pause(failed, 0)
			if d < most/2 || d > most || again != (failed < 4) {
				t.Fatalf("after %d failures: %s, again %v", failed, d, again)
			}
			if d, _ := p.Pause(failed, time.Minute); d != time.Minute {
				t.Fatalf("asked for a minute: %s", d)
			}
		}
	}
	if d, _ := Default.Pause(1000, 0); d > Default.Most || d <= 0 {
		t.Errorf("after 1000 failures: %s", d)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("stopped")
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { stop(why) })
		if err := Wait(ctx, time.Hour); !errors.Is(err, why) {
			t.Error(err)
		}
		if err := Wait(t.Context(), time.Hour); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if Fits(ctx, time.Hour) || !Fits(ctx, time.Second) || !Fits(t.Context(), time.Hour) {
			t.Error("Fits is wrong")
		}
	})
}
