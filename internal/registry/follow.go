package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

const maxRedirects = 5

// follow sends to an address and to those it is redirected to. Credentials go
// to their home alone; atHome says whether the answer is from there.
func (c *Client) follow(ctx context.Context, r request, to, home *url.URL, auth string, watch *watch) (resp *http.Response, atHome bool, err error) {
	away := false // a path that another host chose leads nowhere with a credential
	for range maxRedirects {
		var body *sending
		if r.size > 0 {
			b, err := r.body(ctx)
			if err != nil {
				return nil, false, final{err} // it has been retried already
			}
			body = &sending{ReadCloser: b, w: watch}
		}
		req, err := http.NewRequestWithContext(ctx, r.method, to.String(), nil)
		if err != nil {
			return nil, false, err
		}
		if body != nil {
			req.Body, req.ContentLength = body, r.size
		}
		for k, v := range r.header {
			req.Header[k] = v
		}
		req.Header.Set("User-Agent", c.o.UserAgent)
		away = away || to.Scheme != home.Scheme || to.Host != home.Host
		atHome = !away
		if auth != "" && atHome {
			req.Header.Set("Authorization", auth)
		}
		resp, err := c.exchange(c.pass(req, r.repo.Host), r, watch)
		if errors.Is(err, errInside) {
			return nil, false, final{err}
		}
		if err != nil && body != nil && body.err.Load() != nil {
			return nil, false, final{*body.err.Load()}
		}
		if err != nil {
			return nil, false, transportError(err)
		}
		next, err := c.redirect(r, resp, to)
		if err != nil || next == nil {
			return resp, atHome, err
		}
		resp.Body.Close()
		to = next
	}
	return nil, false, fmt.Errorf("it redirects more than %d times", maxRedirects)
}

// redirect returns where an answer leads, or nil.
func (c *Client) redirect(r request, resp *http.Response, from *url.URL) (*url.URL, error) {
	switch resp.StatusCode {
	case 301, 302, 303, 307, 308:
	default:
		return nil, nil
	}
	next, err := resp.Location()
	if err == nil {
		err = c.trusted(r.repo.Host, next)
	}
	if err == nil && r.method != http.MethodGet && r.method != http.MethodHead && (resp.StatusCode < 307 || next.Host != from.Host) {
		err = fmt.Errorf("it redirects a %s to %s", r.method, next.Host)
	}
	if err != nil {
		resp.Body.Close()
		return nil, final{fmt.Errorf("following a redirect: %w", err)}
	}
	return next, nil
}
