package main

import (
	"context"
	"io"
	"runtime"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/kubeyaml"
)

// A batch is some chunks in a row, which one worker handles.
type batch struct {
	chunks []kubeyaml.Chunk
	size   int

	found []findings
	err   error
	done  chan struct{}
}

// batchSize keeps the cost of handing a batch over small beside that of
// reading it, and the batches in flight within a few MB.
const batchSize = 128 << 10

// stream reads chunks, handles them in parallel, and hands them to emit in
// their order. Memory is bounded by the batches in flight.
func (in *injector) stream(ctx context.Context, r io.Reader, named bool, emit func(kubeyaml.Chunk, findings) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := max(2, runtime.GOMAXPROCS(0))
	work, order := make(chan *batch), make(chan *batch, 2*workers)
	var readErr error
	go func() {
		defer close(order)
		defer close(work)
		readErr = split(ctx, r, func(b *batch) error {
			for _, to := range []chan *batch{order, work} {
				select {
				case to <- b:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return nil
		})
	}()
	for range workers {
		go func() {
			read := &kubeyaml.Reader{Kinds: in.kinds, Named: named}
			for b := range work {
				b.found, b.err = in.batch(ctx, b.chunks, read)
				close(b.done)
			}
		}()
	}
	for {
		var b *batch
		var more bool
		select {
		case b, more = <-order:
		case <-ctx.Done(): // the reader may hang
			return context.Cause(ctx)
		}
		if !more {
			return readErr
		}
		select {
		case <-b.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for i, f := range b.found {
			if err := emit(b.chunks[i], f); err != nil {
				return err
			}
		}
		if b.err != nil {
			return b.err
		}
	}
}

// split groups chunks into batches.
func split(ctx context.Context, r io.Reader, emit func(*batch) error) error {
	b := &batch{done: make(chan struct{})}
	err := kubeyaml.Split(r, func(c kubeyaml.Chunk) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.chunks = append(b.chunks, c)
		if b.size += len(c.Bytes); b.size < batchSize {
			return nil
		}
		full := b
		b = &batch{done: make(chan struct{})}
		return emit(full)
	})
	if err != nil || len(b.chunks) == 0 {
		return err
	}
	return emit(b)
}

// batch handles chunks; with an error come the findings before it.
func (in *injector) batch(ctx context.Context, chunks []kubeyaml.Chunk, read *kubeyaml.Reader) ([]findings, error) {
	docs := make([]*kubeyaml.Document, 0, len(chunks))
	var readErr error
	for _, c := range chunks {
		d, err := read.Read(c)
		if err != nil {
			readErr = err
			break
		}
		docs = append(docs, d)
	}
	in.ask(ctx, docs)
	var out []findings
	for _, d := range docs {
		f, err := in.document(ctx, d)
		if err == nil && d.Odd() && len(f.edits) > 0 {
			err = in.doubtful(ctx, d, f, read)
		}
		if err != nil {
			return out, err
		}
		out = append(out, f)
	}
	return out, readErr
}

// doubtful looks at the result of edits to an odd document: it has to read as
// one with the same workloads that lack nothing.
func (in *injector) doubtful(ctx context.Context, d *kubeyaml.Document, f findings, read *kubeyaml.Reader) error {
	c, err := d.Edited(f.edits)
	if err != nil {
		return err
	}
	again, err := read.Read(c)
	if err == nil {
		var g findings
		if g, err = in.document(ctx, again); err == nil && len(g.edits) == 0 && len(g.workloads) == len(f.workloads) {
			return nil
		}
	}
	line := f.workloads[0].Line
	return exit.Failf("%s %s is written in a way that cannot be edited", f.workloads[0].Kind, f.workloads[0].Name).OnLine(line, 0).
		Hint("write it in plain block style; yq -i . FILE does")
}
