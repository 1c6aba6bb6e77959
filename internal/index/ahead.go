package index

import (
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ahead opens layers before they are read.
type ahead struct {
	open func(int) (io.ReadCloser, error)
	ch   []chan opened
	last int
	most int // how many are open that nobody has asked for yet
}

type opened struct {
	r   io.ReadCloser
	err error
}

// openAhead asks for the first layers that nobody has read yet.
func (v *verifier) openAhead(ctx context.Context, of subject, layers []v1.Descriptor) *ahead {
	a := &ahead{ch: make([]chan opened, len(layers)), last: -1, most: of.ahead}
	a.open = func(n int) (io.ReadCloser, error) { return of.open(ctx, layers[n]) }
	v.mu.Lock()
	defer v.mu.Unlock()
	for n := range min(of.ahead, len(layers)) {
		if _, known := v.layers[layers[n].Digest]; known || encrypted(layers[n]) != "" {
			break
		}
		a.start(n)
	}
	return a
}

func (a *ahead) start(n int) {
	a.ch[n] = make(chan opened, 1)
	a.last = n
	go func() {
		r, err := a.open(n)
		a.ch[n] <- opened{r, err}
	}()
}

// next returns layer n, and asks for a later one.
func (a *ahead) next(n int) (io.ReadCloser, error) {
	if a.ch[n] == nil {
		a.start(n)
	}
	if next := max(a.last, n) + 1; next < len(a.ch) && next < n+a.most && a.ch[next] == nil {
		a.start(next)
	}
	o := <-a.ch[n]
	a.ch[n] <- o // for close
	return o.r, o.err
}

// close drops all that was opened; the requests must have been cancelled.
func (a *ahead) close() {
	for _, ch := range a.ch {
		if ch != nil {
			if o := <-ch; o.r != nil {
				o.r.Close()
			}
		}
	}
}
