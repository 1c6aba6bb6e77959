package verify

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
	most int // how many may be asked for at a time
}

type opened struct {
	r   io.ReadCloser
	err error
}

// openAhead asks for the top layer, which has what most images start, unless
// somebody has read it.
func (v *Verifier) openAhead(ctx context.Context, of Subject, layers []v1.Descriptor) *ahead {
	a := &ahead{ch: make([]chan opened, len(layers)), last: -1, most: aheadLayers}
	if of.Near {
		a.most = 1
	}
	a.open = func(n int) (io.ReadCloser, error) { return of.Open(ctx, layers[n]) }
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(layers) > 0 {
		if _, known := v.layers[layers[0].Digest]; !known && encrypted(layers[0]) == "" {
			a.start(0)
		}
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

// next returns layer n. If a later one is wanted, the top one was not enough:
// then the two below are requested at once, then four at a time.
func (a *ahead) next(n int) (io.ReadCloser, error) {
	if a.ch[n] == nil {
		a.start(n)
	}
	for next := max(a.last, n) + 1; n > 0 && next < len(a.ch) && next < n+min(a.most, 2*n); next++ {
		if a.ch[next] == nil {
			a.start(next)
		}
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
