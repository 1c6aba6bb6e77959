package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// PutBlob stores a blob that is not there yet. open gives its bytes, anew for
// each try; they are streamed, and the registry checks them against the digest.
func (c *Client) PutBlob(ctx context.Context, repo Repository, d v1.Descriptor, open func(context.Context) (io.ReadCloser, error)) error {
	action := "writing " + repo.Digest(d.Digest).String()
	there := false
	err := c.do(ctx, request{
		method: http.MethodHead, repo: repo, path: "blobs/" + d.Digest.String(),
		ok:   []int{200, 404},
		read: func(resp *http.Response) error { there = resp.StatusCode == 200; return nil },
	})
	if err != nil || there {
		return Explain(action, repo.Host, err)
	}
	t := newTries(c.o)
	for {
		err := c.upload(ctx, repo, d, open)
		if err == nil || ctx.Err() != nil {
			return Explain(action, repo.Host, c.ended(ctx, err))
		}
		pause, again := t.next(ctx, request{}, err)
		if !again {
			return Explain(action, repo.Host, err)
		}
		c.o.Logf("%s: %v; trying again", action, err)
		if e := c.o.sleep(ctx, pause); e != nil {
			return Explain(action, repo.Host, c.ended(ctx, err))
		}
	}
}

// upload is one try: an upload that broke off has to be begun again.
func (c *Client) upload(ctx context.Context, repo Repository, d v1.Descriptor, open func(context.Context) (io.ReadCloser, error)) error {
	var to *url.URL
	err := c.do(ctx, request{
		method: http.MethodPost, repo: repo, path: "blobs/uploads/",
		body: bodyOf(nil),
		ok:   []int{202},
		read: func(resp *http.Response) (err error) {
			if to, err = resp.Location(); err == nil {
				err = c.trusted(to)
			}
			if err != nil {
				return final{errors.Join(errors.New("it does not say where to upload to"), err)}
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	q := to.Query()
	q.Set("digest", d.Digest.String())
	to.RawQuery = q.Encode()
	return c.do(ctx, request{
		method: http.MethodPut, repo: repo, at: to,
		header: http.Header{"Content-Type": {"application/octet-stream"}},
		body:   open, size: d.Size,
		ok:   []int{201, 204},
		once: true,
	})
}
