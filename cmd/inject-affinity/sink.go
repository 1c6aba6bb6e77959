package main

import (
	"bufio"
	"bytes"
	"io"

	"github.com/polyarch/polyarch/internal/atomicfile"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/manifest"
)

// A sink takes the chunks with their edits and gives nothing away before
// commit: a failed run must leave no file changed and print nothing.
type sink struct {
	write, diff, check bool
	stdout             io.Writer
	spool              spool

	file   *atomicfile.File // being written
	buffer *bufio.Writer    // of file
	edited bool
	staged []*atomicfile.File

	differ *differ
	first  bool // chunk of a source
	last   byte // that went to standard output
}

func newSink(c *config, stdout io.Writer) *sink {
	return &sink{write: c.write, diff: c.diff, check: c.check, stdout: stdout}
}

func (s *sink) begin(src source) error {
	s.first, s.edited = true, false
	switch {
	case s.diff:
		s.differ = &differ{w: &s.spool, name: src.name}
	case s.write:
		if src.path == "" {
			return exit.Usagef("flag --write: standard input cannot be written in place")
		}
		f, err := atomicfile.Create(src.path)
		if err != nil {
			return err
		}
		s.file, s.buffer = f, bufio.NewWriter(f)
	}
	return nil
}

func (s *sink) chunk(c manifest.Chunk, edits []manifest.Edit) error {
	s.edited = s.edited || len(edits) > 0
	first := s.first
	s.first = false
	switch {
	case s.check:
		return nil
	case s.diff:
		return s.differ.chunk(c.Bytes, edits)
	case s.write:
		return c.Apply(s.buffer, edits)
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

// separate puts a document marker between two files, and takes the byte order
// mark of the second one away.
func (s *sink) separate(c *manifest.Chunk, edits []manifest.Edit) error {
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
	switch {
	case s.diff:
		return s.differ.end()
	case s.write:
		f := s.file
		s.file = nil
		if !s.edited {
			f.Abort()
			return nil
		}
		s.staged = append(s.staged, f)
		return s.buffer.Flush()
	}
	return nil
}

// commit puts the files in place, or prints what was spooled.
func (s *sink) commit() error {
	for _, f := range s.staged {
		if err := f.Commit(); err != nil {
			return err
		}
	}
	return s.spool.copyTo(s.stdout)
}

func (s *sink) abort() {
	if s.file != nil {
		s.file.Abort()
	}
	for _, f := range s.staged {
		f.Abort()
	}
	s.spool.close()
}
