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
)

const (
	// streams is how many long blobs are copied at a time: enough to fill a
	// line, few enough for memory to stay flat. Short ones do not count.
	streams   = 6
	longBlob  = 1 << 20
	maxShorts = 32
	// earlyStreams is how many blobs are asked for at their source before it
	// is known that the target lacks them: it saves a round trip.
	earlyStreams = 16
)

// A blob is one that the target may lack. It is asked about once, however many
// images have it.
type blob struct {
	d     v1.Descriptor
	from  place
	up    upload // nil: the target has it
	asked sync.Once
	err   error
	text  []byte // its content, if that was read
	row   *Row   // that it counts in; nil if nobody looks
	early *early // nil: it is opened when it is sent
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

// beginAll asks the target for the blobs of an image.
func (s *stitching) beginAll(ctx context.Context, i *Image, ds []v1.Descriptor) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range ds {
		if len(d.URLs) > 0 || !d.MediaType.IsDistributable() {
			continue // clients fetch it from where it says
		}
		g.Go(func() error {
			s.mu.Lock()
			b, ok := s.blobs[d.Digest]
			if !ok {
				b = &blob{d: d, from: i.place}
				s.blobs[d.Digest] = b
				s.openEarly(b, i)
			}
			i.blobs = append(i.blobs, b)
			s.mu.Unlock()
			b.asked.Do(func() {
				b.up, b.err = s.to.begin(ctx, d, i.place)
				if b.up == nil && b.early != nil {
					b.early.drop()
				}
			})
			return b.err
		})
	}
	return g.Wait()
}

// openEarly asks a source for a blob that its target probably lacks, because
// it is another registry. A config is read anyhow.
func (s *stitching) openEarly(b *blob, i *Image) {
	r, ok := b.from.(remote)
	to, pushes := s.to.(*pushing)
	if !ok || !pushes || r.repo.Host == to.repo.Host || s.earlies == earlyStreams || b.d.Digest == i.configAt.Digest {
		return
	}
	s.earlies++
	ctx, cancel := context.WithCancel(s.life)
	b.early = &early{make(chan opened, 1), cancel}
	go func() {
		rc, err := b.from.open(ctx, b.d)
		if rc != nil && ctx.Err() != nil {
			rc.Close()
			rc = nil
		}
		b.early.ch <- opened{rc, err}
	}()
}

// transfer brings blobs, then manifests, to where they are missing.
func (s *stitching) transfer(ctx context.Context, images []*Image) error {
	s.count(images)
	if err := s.sendAll(ctx); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, i := range images {
		if i.Manifest == nil || s.to.holds(i.place) {
			continue
		}
		g.Go(func() error { return s.to.putManifest(gctx, i.Manifest) })
		for _, a := range i.Attestations {
			g.Go(func() error { return s.to.putManifest(gctx, a.Manifest) })
		}
	}
	return g.Wait()
}

// sendAll sends the blobs that the target lacks.
func (s *stitching) sendAll(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	long, short := make(chan bool, streams), make(chan bool, maxShorts)
	for _, b := range s.pending() {
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
			return up.Send(ctx, func(ctx context.Context) (io.ReadCloser, error) { return s.openBlob(ctx, b) })
		})
	}
	return g.Wait()
}

// count says for each image what happens to its blobs; one that several images
// have counts for the first.
func (s *stitching) count(images []*Image) {
	counted := map[*blob]bool{}
	for _, i := range ordered(images) {
		for _, b := range i.blobs {
			switch {
			case counted[b]:
			case b.up == nil:
				i.Transfer.Present++
			default:
				i.Transfer.Copied++
				i.Transfer.Bytes += b.d.Size
				if b.row = i.row; b.row != nil {
					b.row.copies.Add(b.d.Size)
					b.row.set(i.Platform.String(), "copying")
				}
			}
			counted[b] = true
		}
		if c, ok := s.blobs[i.configAt.Digest]; ok {
			c.text = i.configText
		}
	}
}

// openBlob reads a blob from where it is.
func (s *stitching) openBlob(ctx context.Context, b *blob) (r io.ReadCloser, err error) {
	switch {
	case b.text != nil:
		r = io.NopCloser(bytes.NewReader(b.text))
	case b.early != nil: // which serves the first try alone
		o := <-b.early.ch
		b.early, r, err = nil, o.r, o.err
	default:
		r, err = b.from.open(ctx, b.d)
	}
	if err == nil && b.row != nil {
		r = &metered{r, b.row}
	}
	return r, err
}

// pending gives the blobs that are to be sent, the long ones first.
func (s *stitching) pending() []*blob {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bs []*blob
	for _, b := range s.blobs {
		if b.up != nil {
			bs = append(bs, b)
		}
	}
	slices.SortFunc(bs, func(a, b *blob) int {
		return cmp.Or(cmp.Compare(b.d.Size, a.d.Size), strings.Compare(a.d.Digest.Hex, b.d.Digest.Hex))
	})
	return bs
}

// abandon tells the target that uploads which were begun will not come.
func (s *stitching) abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for _, b := range s.pending() {
		wg.Go(func() { b.up.Cancel(ctx) })
	}
	wg.Wait()
}

// An upload is a blob that the target lacks, begun and not sent.
type upload interface {
	Send(ctx context.Context, open func(context.Context) (io.ReadCloser, error)) error
	Cancel(ctx context.Context)
}

var _ upload = (*registry.Upload)(nil)
