package main

import (
	"context"
	"errors"
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
const (
	batchSize = 128 << 10
	maxChunks = 1000 // each takes some memory, however short it is
)

// stream reads chunks, handles them in parallel, and hands them to emit in
// their order. Memory is bounded by the batches in flight.
func (in *injector) stream(ctx context.Context, r io.Reader, s source, emit func(kubeyaml.Chunk, findings) error) error {
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
			for b := range work {
				b.found, b.err = in.batch(ctx, b.chunks, s)
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
		if b.err != nil {
			return b.err
		}
		for i, f := range b.found {
			if err := emit(b.chunks[i], f); err != nil {
				return err
			}
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
		if b.size += len(c.Bytes); b.size < batchSize && len(b.chunks) < maxChunks {
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

// large holds those who read more than a batch: a document takes up to 100
// times its size while it is read.
var large = make(chan struct{}, 1)

// batch handles chunks. A document that cannot be read or edited is a problem
// among its findings; an error is what ends the run.
func (in *injector) batch(ctx context.Context, chunks []kubeyaml.Chunk, s source) ([]findings, error) {
	if size := sizeOf(chunks); size > 2*batchSize {
		select {
		case large <- struct{}{}:
			defer func() { <-large }()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	read := &kubeyaml.Reader{Kinds: in.kinds, Named: !s.found, Others: in.others}
	docs := make([]*kubeyaml.Document, len(chunks))
	out := make([]findings, len(chunks))
	for i, c := range chunks {
		if s.patchOf != "" {
			out[i] = findings{object: true, patch: kubeyaml.SaysWhere(c)}
			continue
		}
		var err error
		if docs[i], err = read.Read(c); err != nil {
			out[i] = unreadable(s, err)
		}
	}
	if in.survey {
		for i, d := range docs {
			if d != nil {
				out[i] = surveyed(d)
			}
		}
		return out, nil
	}
	in.ask(ctx, docs)
	for i, d := range docs {
		if d == nil {
			continue
		}
		f, err := in.document(ctx, d)
		if err != nil && ctx.Err() != nil {
			return out, err
		}
		if err != nil {
			f.edits, f.problems = nil, append(f.problems, err)
		}
		out[i] = f
	}
	return out, nil
}

func sizeOf(chunks []kubeyaml.Chunk) (n int) {
	for _, c := range chunks {
		n += len(c.Bytes)
	}
	return n
}

// unreadable returns the findings for a document that cannot be read. A
// template that lies in a folder with manifests is left as it is.
func unreadable(s source, err error) findings {
	if s.found && errors.Is(err, kubeyaml.ErrTemplate) {
		return findings{template: true}
	}
	var e *exit.Error
	if s.found && errors.As(err, &e) {
		e.Hint("or leave it out: --exclude %s", shellQuoted(s.rel))
	}
	return findings{object: true, problems: []error{err}}
}
