package verify

import (
	"context"
	"errors"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// A Verifier reads each layer of a run once, however many images have it: for
// itself, or while the layer passes by on its way to the target.
type Verifier struct {
	Mode   Mode // what it was made with
	budget rootfs.Budget
	slots  chan *rootfs.Reader

	mu     sync.Mutex
	layers map[v1.Hash]*layerRead
}

// A layerRead is a layer that is being read, or was.
type layerRead struct {
	done  chan struct{}
	layer *rootfs.Layer
	err   error
}

// layerReaders bounds how many layers are taken apart at a time, since each
// takes memory: as many as a transfer copies at a time, so that no copy waits.
const layerReaders = 6

// New makes a Verifier.
func New(mode Mode) *Verifier {
	v := &Verifier{Mode: mode, slots: make(chan *rootfs.Reader, layerReaders), layers: map[v1.Hash]*layerRead{}}
	for range layerReaders {
		v.slots <- &rootfs.Reader{Budget: &v.budget, Jars: mode == All}
	}
	return v
}

// layer returns a layer, and how many bytes of it were asked for now.
func (v *Verifier) layer(ctx context.Context, d v1.Descriptor, open func() (io.ReadCloser, error)) (*rootfs.Layer, int64, error) {
	if why := encrypted(d); why != "" {
		return nil, 0, &rootfs.Unreadable{Why: why}
	}
	for {
		v.mu.Lock()
		l, ok := v.layers[d.Digest]
		if !ok {
			l = &layerRead{done: make(chan struct{})}
			v.layers[d.Digest] = l
		}
		v.mu.Unlock()
		if ok {
			select {
			case <-l.done:
			case <-ctx.Done():
				return nil, 0, context.Cause(ctx)
			}
			if errors.Is(l.err, context.Canceled) && ctx.Err() == nil {
				continue // another image's reading was given up
			}
			return l.layer, 0, l.err
		}
		var n int64
		r, err := open()
		if err == nil {
			n = d.Size
			l.layer, err = v.read(ctx, r)
		}
		v.finish(d.Digest, l, err)
		return l.layer, n, err
	}
}

// finish says how a reading ended. One that failed is not kept, so that it can
// be tried again; a layer that nobody can read stays so.
func (v *Verifier) finish(digest v1.Hash, l *layerRead, err error) {
	var unreadable *rootfs.Unreadable
	l.err = err
	if err != nil && !errors.As(err, &unreadable) {
		v.mu.Lock()
		delete(v.layers, digest)
		v.mu.Unlock()
	}
	close(l.done)
}

// read takes a layer apart.
func (v *Verifier) read(ctx context.Context, r io.Reader) (*rootfs.Layer, error) {
	select {
	case reader := <-v.slots:
		defer func() { v.slots <- reader }()
		return reader.Read(r)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// encrypted says why a layer of a media type is not looked into.
func encrypted(d v1.Descriptor) string {
	const suffix = "+encrypted" // OCI image-spec, containers/ocicrypt
	if t := string(d.MediaType); len(t) > len(suffix) && t[len(t)-len(suffix):] == suffix {
		return "it is encrypted"
	}
	return ""
}

// Tap takes a layer apart while it passes by, so that it costs no further byte.
// The result reads like r.
func (v *Verifier) Tap(ctx context.Context, d v1.Descriptor, r io.ReadCloser) io.ReadCloser {
	v.mu.Lock()
	_, known := v.layers[d.Digest]
	if known || encrypted(d) != "" {
		v.mu.Unlock()
		return r
	}
	l := &layerRead{done: make(chan struct{})}
	v.layers[d.Digest] = l
	v.mu.Unlock()
	out, in := io.Pipe()
	t := &tapped{ReadCloser: r, in: in, left: d.Size, done: l.done}
	go func() {
		layer, err := v.read(ctx, out)
		// The copy goes on, whatever was found.
		io.Copy(io.Discard, out) // a pipe that is closed ends it
		if err == nil && !t.whole() {
			layer, err = nil, io.ErrUnexpectedEOF
		}
		l.layer = layer
		v.finish(d.Digest, l, err)
	}()
	return t
}

// A tapped layer goes to two readers.
type tapped struct {
	io.ReadCloser
	in   *io.PipeWriter
	done <-chan struct{}

	mu   sync.Mutex
	left int64
}

func (t *tapped) whole() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.left <= 0
}

func (t *tapped) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.mu.Lock()
	t.left -= int64(n)
	t.mu.Unlock()
	if n > 0 {
		t.in.Write(p[:n]) // an error of the other reader is its own
	}
	if err != nil {
		t.in.CloseWithError(err) // io.EOF as well
	}
	return n, err
}

func (t *tapped) Close() error {
	if t.whole() {
		t.in.Close()
	} else {
		t.in.CloseWithError(io.ErrUnexpectedEOF)
	}
	<-t.done
	return t.ReadCloser.Close()
}
