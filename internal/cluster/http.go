package cluster

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

// tries is how often a request is made at most.
const tries = 4

// get asks for a path and gives an answer of 200, whose body the caller
// closes. It tries again what may go better next time.
func (s *Server) get(ctx context.Context, doing, path string, query url.Values, accept string) (*http.Response, error) {
	u := s.base.JoinPath(path)
	u.RawQuery = query.Encode()
	for try := 1; ; try++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, s.explain(ctx, doing, err)
		}
		req.Header.Set("Accept", accept)
		resp, err := s.http.Do(req)
		if err == nil && resp.StatusCode == http.StatusOK {
			return resp, nil
		}
		after, again := retry(resp, err, try)
		if again && try < tries {
			if resp != nil {
				resp.Body.Close()
			}
			if err := s.pause(ctx, after); err != nil {
				return nil, s.explain(ctx, doing, err)
			}
			continue
		}
		if err != nil {
			return nil, s.explain(ctx, doing, err)
		}
		defer resp.Body.Close()
		return nil, s.refused(doing, resp)
	}
}

// retry tells whether a request that failed may go better later, and when: as
// the server says in Retry-After, or else after a second or two, with jitter.
func retry(resp *http.Response, err error, try int) (time.Duration, bool) {
	wait := time.Duration(float64(int(200*time.Millisecond)<<try) * (0.5 + rand.Float64()))
	if err != nil {
		return wait, dropped(err)
	}
	switch c := resp.StatusCode; {
	case c == http.StatusTooManyRequests, c >= 500 && c != http.StatusNotImplemented:
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s >= 0 {
			wait = time.Duration(s) * time.Second
		}
		return wait, true
	}
	return 0, false
}

// dropped reports whether a connection broke, rather than never came to be.
func dropped(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// pause waits, unless ctx ends first or would end before.
func pause(ctx context.Context, d time.Duration) error {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return context.DeadlineExceeded
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxItem is how many bytes an item of a list may have: more than etcd stores.
const maxItem = 8 << 20

var errTooLong = errors.New("an item of the answer is longer than any object of Kubernetes can be")

// A ration reads until maxItem bytes came without a new item, so that a server
// cannot fill the memory.
type ration struct {
	r    io.Reader
	left int
}

func (r *ration) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errTooLong
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

func (r *ration) item() { r.left = maxItem }
