package exit

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestError(t *testing.T) {
	cause := errors.New("404")
	inner := Deniedf("reading nodes: %w", cause).Hint("ask for %s", "access").At("a.yaml", 3, 7)
	err := fmt.Errorf("listing: %w", inner)
	if CodeOf(err) != Denied || CodeOf(cause) != Failed || CodeOf(nil) != OK {
		t.Errorf("codes %d, %d, %d", CodeOf(err), CodeOf(cause), CodeOf(nil))
	}
	if err.Error() != "listing: reading nodes: 404" || !errors.Is(err, cause) {
		t.Errorf("message %q, is cause: %t", err, errors.Is(err, cause))
	}
	both := errors.Join(Failf("x").Hint("first"), err)
	if d := cmp.Diff([]string{"first", "ask for access"}, HintsOf(both)); d != "" {
		t.Error(d)
	}
	if p := PlaceOf(both); p == nil || p.File != "a.yaml" || p.Line != 3 || p.Column != 7 {
		t.Errorf("place %+v", p)
	}
}

func TestOnLine(t *testing.T) {
	err := InFile("a.yaml", fmt.Errorf("checking: %w", Usagef("%q is wrong", "x").OnLine(3, 7)))
	if err.Error() != `reading a.yaml: checking: line 3: "x" is wrong` || CodeOf(err) != Usage {
		t.Error(err)
	}
	if p := PlaceOf(err); p == nil || p.File != "a.yaml" || p.Line != 3 || p.Column != 7 {
		t.Errorf("%+v", p)
	}
	if err := InFile("b.yaml", InFile("a.yaml", Failf("x").OnLine(1, 0))); PlaceOf(err).File != "a.yaml" {
		t.Error("the outer file won")
	}
}

func TestEnded(t *testing.T) {
	broke := errors.New("EOF")
	if err := Ended(context.Background(), broke); err != broke {
		t.Error(err)
	}
	why := errors.New("a signal")
	ctx, cancel := context.WithCancelCause(context.Background())
	if cancel(why); Ended(ctx, broke) != why || Ended(ctx, nil) != nil {
		t.Error(Ended(ctx, broke))
	}
	ctx, stop := context.WithTimeout(context.Background(), 0)
	defer stop()
	<-ctx.Done()
	if err := Ended(ctx, broke); !errors.Is(err, broke) || err.Error() != "the time limit was reached; the last error: EOF" {
		t.Error(err)
	}
	ctx, stop = WithTimeLimit(context.Background(), time.Nanosecond)
	defer stop()
	<-ctx.Done()
	err := Ended(ctx, broke)
	if !errors.Is(err, broke) || !errors.Is(err, context.DeadlineExceeded) || err.Error() != "the time limit of 1ns was reached; the last error: EOF" {
		t.Error(err)
	}
	if again := Ended(ctx, err); again != err {
		t.Error(again)
	}
}

func TestEnforced(t *testing.T) {
	enforced := make(chan error, 1)
	ctx := Enforced(t.Context(), func(limit error) { enforced <- limit })
	limited, cancel := WithTimeLimit(ctx, time.Millisecond)
	<-limited.Done()
	if err := <-enforced; err.Error() != "the time limit of 1ms was reached" {
		t.Error(err)
	}
	cancel()
	parent, stop := context.WithCancel(ctx)
	_, done := WithTimeLimit(parent, time.Hour)
	stop() // another end than the limit
	done()
	limited, cancel = WithTimeLimit(ctx, time.Hour)
	cancel()
	<-limited.Done()
	select {
	case err := <-enforced:
		t.Errorf("a limit that was not reached is enforced: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
}
