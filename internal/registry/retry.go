package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/polyarch/polyarch/internal/retry"
)

// maxRefused is how often a host that refuses connections is tried.
const maxRefused = 3

// maxLimited is how often a request is sent to a host that says with each
// refusal when to come back.
const maxLimited = 20

// maxLate is how often a request is sent that refers to something which is not
// there yet.
const maxLate = 4

// limited reports whether a host has limited the rate of requests.
func limited(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && (status.Status == http.StatusTooManyRequests || status.Status == http.StatusServiceUnavailable && status.retryAfter > 0)
}

type tries struct {
	n       int
	o       Options
	started time.Time
}

func newTries(o Options) *tries { return &tries{o: o, started: time.Now()} }

// next says how long to wait before the next try, or that there is none.
func (t *tries) next(ctx context.Context, r request, err error) (time.Duration, bool) {
	t.n++
	var status *StatusError
	var asked time.Duration
	if errors.As(err, &status) {
		asked = status.retryAfter
	}
	pause, again := retry.Default.Pause(t.n, asked)
	switch {
	case errors.As(err, &final{}) || r.once:
		return 0, false
	case status != nil:
		if status.Status == http.StatusNotFound && r.wait {
			return pause, time.Since(t.started)+pause <= t.o.Wait
		}
		switch {
		case r.late && status.early():
			return pause, t.n < maxLate && retry.Fits(ctx, pause)
		case !status.temporary():
			return 0, false
		case r.mount && status.Status >= 500 && t.n == 2:
			return 0, false
		case limited(err) && asked > 0: // it says itself when to come back
			return asked, t.n < maxLimited && retry.Fits(ctx, asked)
		}
	case !temporary(err):
		return 0, false
	}
	if !retry.Fits(ctx, pause) {
		return 0, false
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return pause, t.n < maxRefused
	}
	return pause, again
}

// temporary reports whether a failed exchange may succeed the next time.
func temporary(err error) bool {
	var unknownHost *net.DNSError
	var badCertificate *tls.CertificateVerificationError
	var unknownAuthority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknownHost):
		return !unknownHost.IsNotFound
	case errors.As(err, &badCertificate), errors.As(err, &unknownAuthority):
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, errStalled) || errors.As(err, &broken{})
}

// A final error is one that a retry cannot fix.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// A broken error is one of the connection, though its type does not say so.
type broken struct{ error }

func (b broken) Unwrap() error { return b.error }

// transportError drops the address from an error of package http: it may hold a
// signature, and the caller says what was done.
func transportError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return broken{err}
}

var errStalled = errors.New("nothing arrived for too long")

// A watch ends an exchange in which nothing moves.
type watch struct {
	stall  time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
	ctx    context.Context
}

func newWatch(ctx context.Context, stall time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{stall: stall, cancel: cancel, ctx: ctx}
	w.timer = time.AfterFunc(stall, func() { cancel(errStalled) })
	return ctx, w
}

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain says that an exchange stalled, rather than that it was cancelled.
func (w *watch) explain(err error) error {
	if err != nil && errors.Is(context.Cause(w.ctx), errStalled) {
		return fmt.Errorf("%w (%s)", errStalled, w.stall)
	}
	return err
}

// A sending body is watched between its reads: reading it is its source's
// business, what comes after is the connection's.
type sending struct {
	io.ReadCloser
	w   *watch
	err atomic.Pointer[error] // of its source
}

func (b *sending) Read(p []byte) (int, error) {
	b.w.timer.Stop()
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err.Store(&err)
	}
	b.w.timer.Reset(b.w.stall)
	return n, err
}

// A receiving body is watched while it is read: what comes between is its
// reader's business.
type receiving struct {
	io.ReadCloser
	w *watch
}

func (b *receiving) Read(p []byte) (int, error) {
	b.w.timer.Reset(b.w.stall)
	n, err := b.ReadCloser.Read(p)
	b.w.timer.Stop()
	return n, b.w.explain(err)
}

// Close ends the exchange.
func (b *receiving) Close() error {
	b.w.stop()
	return b.ReadCloser.Close()
}
