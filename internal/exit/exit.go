package exit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Code is a process exit code. Pipelines branch on it, so a code never
// changes its meaning.
type Code int

const (
	OK          Code = 0
	Failed      Code = 1 // the work failed
	Usage       Code = 2 // wrong flags or arguments
	Impossible  Code = 3 // nothing can run there: no common platform, a platform the cluster lacks
	Denied      Code = 4 // RBAC, registry 401 or 403
	Unreachable Code = 5 // a cluster or a registry cannot be reached
)

// An Error carries what a user needs to act: the exit code, what to do, and
// the place in a file, where there is one. Its message is Err's.
type Error struct {
	Code         Code
	Err          error
	Hints        []string // one sentence each, printed on lines of their own
	File         string   // of a user's input; for annotations, also named in Err
	Line, Column int      // from 1; 0 if unknown
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Hint adds a sentence that says what to do, and returns e.
func (e *Error) Hint(format string, args ...any) *Error {
	e.Hints = append(e.Hints, fmt.Sprintf(format, args...))
	return e
}

// At sets the place in a user's file, and returns e.
func (e *Error) At(file string, line, column int) *Error {
	e.File, e.Line, e.Column = file, line, column
	return e
}

// OnLine puts the line of a user's file before the message, sets it as the
// place, and returns e. InFile adds the file's name, where it is known.
func (e *Error) OnLine(line, column int) *Error {
	e.Err = fmt.Errorf("line %d: %w", line, e.Err)
	e.Line, e.Column = line, column
	return e
}

// InFile is "reading FILE: err"; a place in err that has no file yet is in
// this one.
func InFile(file string, err error) error {
	var e *Error
	if errors.As(err, &e) && e.File == "" && e.Line > 0 {
		e.File = file
	}
	return fmt.Errorf("reading %s: %w", file, err)
}

// Failf, Usagef, Impossiblef, Deniedf and Unreachablef make an *Error of their
// code with fmt.Errorf's message.
func Failf(format string, args ...any) *Error { return newf(Failed, format, args) }

// Usagef is for wrong flags and arguments.
func Usagef(format string, args ...any) *Error { return newf(Usage, format, args) }

// Impossiblef is for work that no node could run.
func Impossiblef(format string, args ...any) *Error { return newf(Impossible, format, args) }

// Deniedf is for an answer of 401 or 403.
func Deniedf(format string, args ...any) *Error { return newf(Denied, format, args) }

// Unreachablef is for a server that did not answer.
func Unreachablef(format string, args ...any) *Error { return newf(Unreachable, format, args) }

func newf(c Code, format string, args []any) *Error {
	return &Error{Code: c, Err: fmt.Errorf(format, args...)}
}

// A timeLimit is a run's limit that was reached; zero: it is not known. It is
// what context.DeadlineExceeded is, and says more.
type timeLimit time.Duration

func (t timeLimit) Error() string {
	if t == 0 {
		return "the time limit was reached"
	}
	return "the time limit of " + time.Duration(t).String() + " was reached"
}
func (t timeLimit) Is(target error) bool { return target == context.DeadlineExceeded }
func (t timeLimit) Timeout() bool        { return true }
func (t timeLimit) Temporary() bool      { return true }

// WithTimeLimit returns a context that ends after d, with a cause that says so.
// Until cancel is called, what a parent's Enforced got is called then too.
func WithTimeLimit(ctx context.Context, d time.Duration) (_ context.Context, cancel context.CancelFunc) {
	ctx, end := context.WithTimeoutCause(ctx, d, timeLimit(d))
	enforce, ok := ctx.Value(enforcer{}).(func(error))
	if !ok {
		return ctx, end
	}
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			enforce(context.Cause(ctx))
		}
	})
	return ctx, func() { stop(); end() }
}

// Enforced returns a context whose time limits are enforced: what a limit has to
// end may not heed it, such as the opening of a pipe that nobody writes.
func Enforced(ctx context.Context, enforce func(limit error)) context.Context {
	return context.WithValue(ctx, enforcer{}, enforce)
}

type enforcer struct{}

// Why returns why ctx ended: what it was cancelled for, or that the time limit
// was reached.
func Why(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != context.DeadlineExceeded {
		return cause
	}
	return timeLimit(0)
}

// Ended returns why ctx ended, rather than what that broke; with a time limit,
// err is named as the last error. It returns err as it is while ctx has not
// ended, and where it says so itself.
func Ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	why := Why(ctx)
	switch {
	case !errors.Is(why, context.DeadlineExceeded):
		return why
	case errors.Is(err, why):
		return err
	}
	return fmt.Errorf("%w; the last error: %w", why, err)
}

// CodeOf returns the code of err: that of the outermost *Error in its chain,
// Failed if there is none, OK for nil.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Failed
}

// HintsOf returns the hints of every *Error in err's chain, the outermost
// first; of joined errors too.
func HintsOf(err error) []string {
	var hints []string
	walk(err, func(e *Error) { hints = append(hints, e.Hints...) })
	return hints
}

// PlaceOf returns the first *Error in err's chain that names a file, or nil.
func PlaceOf(err error) *Error {
	var place *Error
	walk(err, func(e *Error) {
		if place == nil && e.File != "" {
			place = e
		}
	})
	return place
}

func walk(err error, visit func(*Error)) {
	for err != nil {
		if e, ok := err.(*Error); ok {
			visit(e)
		}
		switch u := err.(type) {
		case interface{ Unwrap() []error }:
			for _, e := range u.Unwrap() {
				walk(e, visit)
			}
			return
		case interface{ Unwrap() error }:
			err = u.Unwrap()
		default:
			return
		}
	}
}
