package cluster

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/polyarch/polyarch/internal/retry"
)

// get asks for a path and returns an answer of 200, whose body the caller
// closes. It retries what may succeed next time.
func (s *Server) get(ctx context.Context, doing, path string, query url.Values, accept string) (*http.Response, error) {
	u := s.base.JoinPath(path)
	u.RawQuery = query.Encode()
	renewed := false
	for try := 1; ; try++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, s.explain(ctx, doing, err)
		}
		req.Header.Set("Accept", accept)
		resp, err := s.http.Do(req)
		if err == nil && resp.StatusCode == http.StatusOK {
			if isPage(resp) {
				resp.Body.Close()
				return nil, s.loginPage(doing)
			}
			return resp, nil
		}
		if err == nil && resp.StatusCode == http.StatusUnauthorized && s.renews && !renewed {
			// client-go has asked the kubeconfig's program for new credentials by now.
			renewed = true
			resp.Body.Close()
			continue
		}
		asked, again := time.Duration(0), retry.Dropped(err)
		if err == nil {
			asked, again = retry.After(resp.Header.Get("Retry-After"), time.Now()), retry.Status(resp.StatusCode)
		}
		wait, more := retry.Default.Pause(try, asked)
		if again && more && retry.Fits(ctx, wait) {
			if err == nil {
				resp.Body.Close()
			}
			if err := s.pause(ctx, wait); err != nil {
				return nil, s.explain(ctx, doing, err)
			}
			continue
		}
		if err != nil {
			return nil, s.explain(ctx, doing, err)
		}
		defer resp.Body.Close()
		if again && !retry.Fits(ctx, asked) {
			return nil, s.refused(doing, resp, asked)
		}
		return nil, s.refused(doing, resp, 0)
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
	err  error // ends the reading
}

func (r *ration) Read(p []byte) (int, error) {
	switch {
	case r.err != nil:
		return 0, r.err
	case r.left <= 0:
		return 0, errTooLong
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

func (r *ration) item() { r.left = maxItem }
