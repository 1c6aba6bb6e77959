package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// An Upload is a blob that a repository lacks, and a place to send it to.
type Upload struct {
	c    *Client
	repo Repository
	d    v1.Descriptor
	to   *url.URL
}

// Begin asks a repository for a blob. If it is there already, or can be
// mounted from another repository of the same registry, there is no Upload.
// One request answers both questions: a mount from the repository itself asks
// whether it has the blob, and a mount that fails begins an upload.
func (c *Client) Begin(ctx context.Context, repo Repository, d v1.Descriptor, from Repository) (*Upload, error) {
	if from.Host != repo.Host {
		from = repo
	}
	u, err := c.begin(ctx, repo, d, url.Values{"mount": {d.Digest.String()}, "from": {from.Path}})
	var status *StatusError
	if errors.As(err, &status) && ctx.Err() == nil && status.Status != http.StatusTooManyRequests {
		// Some registries refuse the mount, or fail at it, instead of beginning
		// an upload.
		u, err = c.begin(ctx, repo, d, nil)
	}
	if err != nil {
		return nil, c.explainBlob(repo, d, err)
	}
	return u, nil
}

func (c *Client) explainBlob(repo Repository, d v1.Descriptor, err error) error {
	return Explain("writing "+repo.Digest(d.Digest).String(), repo.Host, err)
}

func (c *Client) begin(ctx context.Context, repo Repository, d v1.Descriptor, query url.Values) (u *Upload, err error) {
	err = c.do(ctx, request{
		method: http.MethodPost, repo: repo, path: "blobs/uploads/", query: query,
		ok: []int{201, 202}, mount: query != nil,
		read: func(resp *http.Response) error {
			if resp.StatusCode == 201 {
				return nil
			}
			to, err := resp.Location()
			if err == nil {
				to = c.host(repo.Host).own(to)
				err = c.trusted(repo.Host, to)
			}
			if err != nil {
				return final{errors.Join(errors.New("it does not say where to upload to"), err)}
			}
			u = &Upload{c, repo, d, to}
			return nil
		},
	})
	return u, err
}

// own corrects an address at the registry itself: one behind a proxy may not
// know that it is reached over TLS.
func (h *host) own(u *url.URL) *url.URL {
	h.mu.Lock()
	defer h.mu.Unlock()
	if u.Host == h.address && u.Scheme != h.scheme {
		mended := *u
		mended.Scheme = h.scheme
		return &mended
	}
	return u
}

// Send sends the blob. open returns its bytes, again for each try; they are
// streamed, and the registry checks them against the digest.
func (u *Upload) Send(ctx context.Context, open func(context.Context) (io.ReadCloser, error)) error {
	t := newTries(u.c.o)
	for {
		err := u.send(ctx, open)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return u.c.explainBlob(u.repo, u.d, u.c.ended(ctx, err))
		}
		pause, again := t.next(ctx, request{late: true}, err)
		if !again {
			return u.c.explainBlob(u.repo, u.d, err)
		}
		u.c.o.Logf("sending %s to %s: %v; trying again in %s", u.d.Digest, u.repo.Host, err, pause.Round(time.Millisecond))
		if e := u.c.o.sleep(ctx, pause); e != nil {
			return u.c.explainBlob(u.repo, u.d, u.c.ended(ctx, err))
		}
		// An upload that broke off is begun again.
		fresh, err := u.c.Begin(ctx, u.repo, u.d, u.repo)
		if err != nil || fresh == nil { // it arrived, though the answer did not
			return err
		}
		u.to = fresh.to
	}
}

func (u *Upload) send(ctx context.Context, open func(context.Context) (io.ReadCloser, error)) error {
	to := *u.to
	q := to.Query()
	q.Set("digest", u.d.Digest.String())
	to.RawQuery = q.Encode()
	return u.c.do(ctx, request{
		method: http.MethodPut, repo: u.repo, at: &to,
		header: http.Header{"Content-Type": {"application/octet-stream"}},
		body: func(ctx context.Context) (io.ReadCloser, error) {
			r, err := open(ctx)
			if err != nil || u.d.Size < aheadSize {
				return r, err
			}
			return readAhead(r), nil
		},
		size: u.d.Size,
		ok:   []int{201, 204},
		once: true,
	})
}

// Cancel says that nothing will be sent. It is a courtesy: what goes wrong is
// not reported.
func (u *Upload) Cancel(ctx context.Context) {
	u.c.do(ctx, request{method: http.MethodDelete, repo: u.repo, at: u.to, ok: []int{200, 202, 204, 404}, once: true})
}
