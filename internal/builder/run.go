package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/process"
)

// A Watcher is told what happens. Its methods are called by several goroutines;
// those about one leg come one after the other.
type Watcher interface {
	Running(leg Leg, step Step)
	Line(leg Leg, line string)
	Ended(leg Leg, err error) // err may be a *StepError
}

// A Result is the outcome of a leg.
type Result struct {
	Leg    Leg
	Pushed Pushed
	Took   time.Duration
	Err    error
}

// A Runner runs legs.
type Runner struct {
	Builder   Builder
	Host      Host
	Jobs      int  // legs at a time; 0: one for each processor
	KeepGoing bool // one that fails does not end the others
	// Optional says which legs may fail: they end no others, and are no error of
	// the run. Nil: none.
	Optional func(Leg) bool
	Environ  []string
	Watcher  Watcher
	Guard    *process.Guard // of the folder that the legs are in; may be nil
}

// Run runs the legs, and returns a result for each, in their order. The error
// is that of the first leg that failed and must not, even if others failed with
// it or were ended because of it.
func (r Runner) Run(run context.Context, legs []Leg) ([]Result, error) {
	ctx, cancel := context.WithCancelCause(run)
	defer cancel(nil)
	results := make([]Result, len(legs))
	turn := make(chan struct{}, cmp.Or(r.Jobs, runtime.GOMAXPROCS(0)))
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	for i, leg := range legs {
		turn <- struct{}{} // in order: with one job, the first platform is built first
		wg.Go(func() {
			defer func() { <-turn }()
			start := time.Now()
			pushed, err := Pushed{}, context.Cause(ctx)
			if err == nil {
				pushed, err = r.leg(ctx, leg)
				r.Watcher.Ended(leg, err)
			}
			results[i] = Result{leg, pushed, time.Since(start), err}
			if err != nil && (r.Optional == nil || !r.Optional(leg)) {
				once.Do(func() { first = err })
				if !r.KeepGoing {
					cancel(errSibling)
				}
			}
		})
	}
	wg.Wait()
	if first == nil && run.Err() != nil {
		first = context.Cause(run)
	}
	return results, first
}

// errSibling is why a leg was ended that did nothing wrong.
var errSibling = errors.New("ended because another build failed")

func (r Runner) leg(ctx context.Context, leg Leg) (Pushed, error) {
	for _, folder := range append([]string{leg.Dir}, leg.Folders...) {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return Pushed{}, exit.Failf("building %s: %w", leg.Name, err)
		}
	}
	for name, content := range leg.Files {
		if err := os.WriteFile(filepath.Join(leg.Dir, name), content, 0o600); err != nil {
			return Pushed{}, exit.Failf("building %s: %w", leg.Name, err)
		}
	}
	var tail []string
	for _, s := range leg.Steps {
		r.Watcher.Running(leg, s)
		out := &process.Lines{Each: func(line string) { r.Watcher.Line(leg, line) }}
		err := process.Run(ctx, process.Command{Argv: s.Argv, Dir: s.Dir, Env: append(slices.Clone(r.Environ), s.Env...), Guard: r.Guard}, out)
		tail = out.Tail()
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return Pushed{}, fmt.Errorf("building %s with %s: %w", leg.Name, r.Builder.Name, cause)
			}
			return Pushed{}, r.Builder.explain(r.Host, leg, &StepError{Step: s, Tail: tail, Err: err})
		}
	}
	if leg.Collect == nil {
		return Pushed{}, nil
	}
	pushed, err := leg.Collect(tail)
	if err != nil {
		return Pushed{}, exit.Failf("reading what %s reports for %s: %w", r.Builder.Name, leg.Name, err)
	}
	return pushed, nil
}

// A StepError is a command that failed.
type StepError struct {
	Step Step
	Tail []string // the last lines that it printed
	Err  error    // of package os/exec
}

func (e *StepError) Error() string { return e.Err.Error() }
func (e *StepError) Unwrap() error { return e.Err }
