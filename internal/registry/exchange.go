package registry

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// exchange sends one request when its registry has a place for it. Waiting for
// that is not a stall.
func (c *Client) exchange(req *http.Request, r request, watch *watch) (*http.Response, error) {
	g := &c.host(r.repo.Host).gate
	watch.timer.Stop()
	if err := g.enter(req.Context(), r.nested); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	h := c.host(r.repo.Host)
	if c.o.Many {
		if err := h.pace.wait(req.Context()); err != nil {
			g.leave(0)
			if req.Body != nil {
				req.Body.Close()
			}
			return nil, err
		}
	}
	started := time.Now()
	watch.timer.Reset(watch.stall)
	resp, err := c.http.Do(req)
	took := time.Since(started)
	if err == nil && c.o.Many {
		h.pace.answered(started, resp)
	}
	if err != nil || r.keep {
		g.leave(took)
		return resp, err
	}
	resp.Body = &placed{ReadCloser: resp.Body, leave: func() { g.leave(took) }}
	return resp, nil
}

// A placed body keeps its request's place at the host until it is read or
// closed: before, its connection serves no other request.
type placed struct {
	io.ReadCloser
	once  sync.Once
	leave func()
}

func (p *placed) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	if err != nil {
		p.once.Do(p.leave)
	}
	return n, err
}

func (p *placed) Close() error {
	err := p.ReadCloser.Close()
	p.once.Do(p.leave)
	return err
}
