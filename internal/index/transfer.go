package index

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/text"
	"github.com/polyarch/polyarch/internal/verify"
)

const (
	// streams is how many long blobs are copied at a time: enough to fill a
	// line, few enough for memory to stay flat. Short ones do not count.
	streams   = 6
	longBlob  = 1 << 20
	maxShorts = 64
	// earlyStreams is how many blobs are asked for at their source before it
	// is known that the target lacks them: it saves a round trip.
	earlyStreams = 16
)

// A Transfer counts what was done so that the target has an image's blobs.
type Transfer struct {
	Present int   `json:"present"` // the target had them, or mounted them from another repository
	Copied  int   `json:"copied"`
	Bytes   int64 `json:"bytes"` // of those that were copied
}

// A transfer brings blobs and manifests to a target that lacks them. It is
// asked about blobs while the sources are read, and sends them afterwards.
type transfer struct {
	to  target
	run context.Context // of the run: for what outlasts the step that begins it

	mu    sync.Mutex
	blobs map[v1.Hash]*blob
	early int // how many blobs were asked for at their source

	extra []*blob // that no image has
}

// A blob is one that the target may lack. It is asked about once, however many
// images have it.
type blob struct {
	d     v1.Descriptor
	from  store
	asked sync.Once
	up    upload // nil: the target has it
	err   error
	text  []byte           // its content, if that was read
	row   *Row             // that it counts in; nil if nobody looks
	early *early           // nil: it is opened when it is sent
	tap   *verify.Verifier // looks into it while it is sent; nil: nobody does
}

type opened struct {
	r   io.ReadCloser
	err error
}

// An early blob is being opened while the target is asked whether it has it.
type early struct {
	ch     chan opened
	cancel context.CancelFunc
}

// drop ends what nobody has taken.
func (e *early) drop() {
	e.cancel()
	select {
	case o := <-e.ch:
		if o.r != nil {
			o.r.Close()
		}
	default: // it ends by itself: its context has
	}
}

// ask asks the target for blobs, and returns what is known about them. The
// config, which is read anyhow, may be nil.
func (t *transfer) ask(ctx context.Context, from store, ds []v1.Descriptor, config *v1.Hash) ([]*blob, error) {
	var blobs []*blob
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range ds {
		if len(d.URLs) > 0 || !d.MediaType.IsDistributable() {
			continue // clients fetch it from where it says
		}
		b := t.blob(from, d, config != nil && d.Digest == *config)
		blobs = append(blobs, b)
		g.Go(func() error {
			b.asked.Do(func() {
				b.up, b.err = t.to.begin(ctx, d, from.repository())
				if b.up == nil && b.early != nil {
					b.early.drop()
				}
			})
			return b.err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return blobs, nil
}

func (t *transfer) blob(from store, d v1.Descriptor, isConfig bool) *blob {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.blobs[d.Digest]
	if !ok {
		b = &blob{d: d, from: from}
		t.blobs[d.Digest] = b
		if !isConfig {
			t.openEarly(b)
		}
	}
	return b
}

// openEarly asks a source for a blob that its target probably lacks, because
// it is another registry.
func (t *transfer) openEarly(b *blob) {
	if b.from.near() || !t.to.far(b.from.repository()) || t.early == earlyStreams {
		return
	}
	t.early++
	ctx, cancel := context.WithCancel(t.run)
	b.early = &early{make(chan opened, 1), cancel}
	go func() {
		rc, err := b.from.open(ctx, b.d)
		if rc != nil && ctx.Err() != nil {
			rc.Close()
			rc, err = nil, context.Cause(ctx)
		}
		b.early.ch <- opened{rc, err}
	}()
}

// tap has a verifier look into those layers that are to be sent, and reports
// whether there are any.
func (t *transfer) tap(blobs []*blob, layers []v1.Descriptor, v *verify.Verifier) (any bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range blobs {
		if b.up != nil && slices.ContainsFunc(layers, func(d v1.Descriptor) bool { return d.Digest == b.d.Digest }) {
			b.tap, any = v, true
		}
	}
	return any
}

// send brings the blobs of children, then their manifests, to where they are
// missing. Between the two it verifies the images whose layers have passed by.
func (t *transfer) send(ctx context.Context, children []*child, verify func(context.Context, []*child) ([]*child, error)) error {
	if err := t.sendBlobs(ctx, t.assign(children)); err != nil {
		return err
	}
	children, err := verify(ctx, children)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, c := range children {
		if c.found == nil || t.to.holds(c.found.in.repository()) {
			continue
		}
		g.Go(func() error { return t.to.putManifest(gctx, c.found.manifest.Stored) })
		for _, a := range c.Attestations {
			g.Go(func() error { return t.to.putManifest(gctx, a.Manifest) })
		}
	}
	return g.Wait()
}

// assign says for each child what happens to its blobs, and returns those that
// are to be sent, the long ones first. One that several children have counts
// for the first.
func (t *transfer) assign(children []*child) []*blob {
	var pending []*blob
	counted := map[*blob]bool{}
	for _, c := range ordered(children) {
		if c.found == nil {
			continue
		}
		blobs := slices.Clone(c.found.blobs)
		for _, a := range c.Attestations {
			blobs = append(blobs, a.blobs...)
		}
		for _, b := range blobs {
			switch {
			case counted[b]:
			case b.up == nil:
				c.Transfer.Present++
			default:
				c.Transfer.Copied++
				c.Transfer.Bytes += b.d.Size
				if b.row = c.row; b.row != nil {
					b.row.copies.Add(b.d.Size)
					b.row.set(c.Platform.String(), "copying")
				}
				pending = append(pending, b)
			}
			counted[b] = true
		}
		if b, ok := t.blobs[c.found.manifest.Config.Digest]; ok && c.found.config != nil {
			b.text = c.found.config.Stored
		}
	}
	for _, b := range t.extra {
		if b.up != nil && !counted[b] {
			pending = append(pending, b)
		}
		counted[b] = true
	}
	slices.SortFunc(pending, func(a, b *blob) int {
		return cmp.Or(cmp.Compare(b.d.Size, a.d.Size), strings.Compare(a.d.Digest.Hex, b.d.Digest.Hex))
	})
	return pending
}

// sendBlobs sends the blobs that the target lacks.
func (t *transfer) sendBlobs(ctx context.Context, pending []*blob) error {
	g, ctx := errgroup.WithContext(ctx)
	long, short := make(chan bool, streams), make(chan bool, maxShorts)
	for _, b := range pending {
		slots := short
		if b.d.Size > longBlob {
			slots = long
		}
		g.Go(func() error {
			select {
			case slots <- true:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			defer func() { <-slots }()
			up := b.up
			b.up = nil // it is not for abandon any more
			return up.Send(ctx, b.open)
		})
	}
	return g.Wait()
}

// open reads a blob from where it is.
func (b *blob) open(ctx context.Context) (r io.ReadCloser, err error) {
	switch {
	case b.text != nil:
		r = io.NopCloser(bytes.NewReader(b.text))
	case b.early != nil: // which serves the first try alone
		o := <-b.early.ch
		b.early, r, err = nil, o.r, o.err
	default:
		r, err = b.from.open(ctx, b.d)
	}
	if err == nil && b.tap != nil {
		r = b.tap.Tap(ctx, b.d, r)
	}
	if err == nil && b.row != nil {
		r = &metered{r, b.row}
	}
	return r, err
}

// abandon tells the target that uploads which were begun will not come.
func (t *transfer) abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for _, b := range t.blobs {
		if b.up != nil {
			wg.Go(func() { b.up.Cancel(ctx) })
		}
	}
	wg.Wait()
}

// referrers copies what refers to images that come from elsewhere.
func (t *transfer) referrers(ctx context.Context, children []*child, note func(format string, args ...any)) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range children {
		if c.found == nil {
			continue
		}
		from := c.found.in.repository()
		if from == (registry.Repository{}) || t.to.holds(from) {
			continue
		}
		g.Go(func() error {
			n, ok, err := t.to.copyReferrers(ctx, from, c.Descriptor.Digest)
			switch {
			case err != nil:
				return err
			case !ok:
				note("%s: what refers to it was not copied: only a registry can say what that is", c.Source.Ref)
			case n > 0:
				note("%s: copied %s", c.Source.Ref, text.Count(n, "referrer"))
			}
			return nil
		})
	}
	return g.Wait()
}
