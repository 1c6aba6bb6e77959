package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/polyarch/polyarch/internal/atomicfile"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/kubeyaml"
)

// A sink takes the chunks with their edits and gives nothing away before
// commit: a failed run must leave no file changed and print nothing.
type sink struct {
	write, diff, check bool
	stdout             io.Writer
	spool              spool

	source source
	info   os.FileInfo // of source as it was when it was opened; nil for a stream
	ctx    context.Context
	passed int64            // bytes of source before the first chunk with an edit
	file   *atomicfile.File // being written; nil before the first edit
	buffer *bufio.Writer    // of file
	staged []*atomicfile.File
	names  []string // of staged

	differ *differ
	shown  *excerpt // of the diff, for a summary; nil if nobody shows it
	aside  *differ  // into shown
	first  bool     // chunk of a source
	last   byte     // that went to standard output
}

func newSink(c *config, stdout io.Writer) *sink {
	return &sink{write: c.write, diff: c.diff, check: c.check || c.printsPolicy(), stdout: stdout}
}

// begin starts a source, which r was opened from.
func (s *sink) begin(ctx context.Context, src source, r io.Reader) error {
	s.first, s.source, s.passed, s.ctx, s.info = true, src, 0, ctx, nil
	if f, ok := r.(*os.File); ok {
		var err error
		if s.info, err = f.Stat(); err != nil {
			return exit.Failf("reading %s: %w", src.name, cause(err))
		}
	}
	if s.shown != nil {
		s.aside = &differ{w: s.shown, name: src.name}
	}
	switch {
	case s.diff:
		s.differ = &differ{w: &s.spool, name: src.name}
	case s.write && src.path == "":
		return exit.Usagef("flag --write: standard input cannot be written in place")
	}
	return nil
}

func (s *sink) chunk(c kubeyaml.Chunk, edits []kubeyaml.Edit) error {
	first := s.first
	s.first = false
	if s.aside != nil {
		if err := s.aside.chunk(c.Bytes, edits); err != nil {
			return err
		}
	}
	switch {
	case s.check:
		return nil
	case s.diff:
		return s.differ.chunk(c.Bytes, edits)
	case s.write:
		return s.rewrite(c, edits)
	}
	if first && s.last != 0 { // several files make one stream
		if err := s.separate(&c, edits); err != nil {
			return err
		}
	}
	if n := len(c.Bytes); n > 0 {
		s.last = c.Bytes[n-1]
		if e := len(edits) - 1; e >= 0 && edits[e].At+edits[e].Del == n && edits[e].Text != "" {
			s.last = edits[e].Text[len(edits[e].Text)-1]
		}
	}
	return c.Apply(&s.spool, edits)
}

// rewrite writes a chunk of a file in place. A file without an edit is not
// touched: the first edit starts the new one with what came before it.
func (s *sink) rewrite(c kubeyaml.Chunk, edits []kubeyaml.Edit) error {
	if s.file == nil && len(edits) == 0 {
		s.passed += int64(len(c.Bytes))
		return nil
	}
	if s.file == nil {
		var err error
		if s.file, err = atomicfile.Replace(s.source.path, s.info); err != nil {
			return err
		}
		s.buffer = bufio.NewWriterSize(s.file, bufferSize)
		old, err := s.source.open(s.ctx)
		if err != nil {
			return err
		}
		defer old.Close()
		if _, err := io.CopyN(s.buffer, old, s.passed); err != nil {
			return exit.Failf("reading %s again: %w", s.source.name, err)
		}
	}
	return c.Apply(s.buffer, edits)
}

// separate puts a document marker between two files, and takes the byte order
// mark of the second one away.
func (s *sink) separate(c *kubeyaml.Chunk, edits []kubeyaml.Edit) error {
	if mark := []byte("\uFEFF"); bytes.HasPrefix(c.Bytes, mark) {
		c.Bytes = c.Bytes[len(mark):]
		for i := range edits {
			edits[i].At -= len(mark)
		}
	}
	sep := ""
	if s.last != '\n' {
		sep = "\n"
	}
	if !bytes.HasPrefix(c.Bytes, []byte("---")) {
		sep += "---\n"
	}
	_, err := io.WriteString(&s.spool, sep)
	return err
}

func (s *sink) end() error {
	if s.aside != nil {
		if err := s.aside.end(); err != nil {
			return err
		}
	}
	switch {
	case s.diff:
		return s.differ.end()
	case s.file != nil:
		f := s.file
		s.staged, s.names, s.file = append(s.staged, f), append(s.names, s.source.name), nil
		if err := s.buffer.Flush(); err != nil {
			return exit.Failf("writing %s: %w", s.source.name, cause(err))
		}
		return f.Stage()
	}
	return nil
}

// commit puts the files in place, or prints what was spooled.
func (s *sink) commit() error {
	for i, f := range s.staged {
		if err := f.Commit(); err != nil {
			return s.partly(i, err)
		}
	}
	return s.spool.copyTo(s.stdout)
}

// partly says which files were written before one could not be.
func (s *sink) partly(n int, err error) error {
	e := exit.Failf("%w", err)
	if errors.Is(err, atomicfile.ErrChanged) {
		e.Hint("run it again")
	}
	if n == 0 {
		return e.Hint("no file was written")
	}
	return e.Hint("these were written before: %s", strings.Join(s.names[:n], ", "))
}

// drop forgets a file that did not come to its end.
func (s *sink) drop() {
	if s.file != nil {
		s.file.Abort()
		s.file = nil
	}
}

func (s *sink) abort() {
	s.drop()
	for _, f := range s.staged {
		f.Abort()
	}
	s.spool.close()
}
