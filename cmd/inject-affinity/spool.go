package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/text"
)

// A spool keeps what is to be printed until the run has succeeded: in memory
// at first, in a temporary file beyond spoolLimit.
type spool struct {
	size   int64
	limit  int64 // 0: maxStream
	mem    bytes.Buffer
	file   *os.File
	buffer *bufio.Writer // of file
}

const (
	spoolLimit = 4 << 20
	bufferSize = 256 << 10

	// maxStream is more than any cluster's objects take: what has no end is not
	// to fill the temporary folder.
	maxStream = 1 << 30
)

func (s *spool) Write(p []byte) (int, error) {
	limit := cmp.Or(s.limit, maxStream)
	if s.size += int64(len(p)); s.size > limit {
		return 0, exit.Failf("spooling the result: it has more than %s", text.Bytes(limit)).
			Hint("does a pipe or a device among the files never end? files are edited in place, without a spool, with --write")
	}
	if s.file == nil {
		if s.mem.Len()+len(p) <= spoolLimit {
			return s.mem.Write(p)
		}
		f, err := os.CreateTemp("", "inject-affinity-*")
		if err != nil {
			return 0, fmt.Errorf("spooling the result: %w", err)
		}
		os.Remove(f.Name()) // where the system lets go of a file that is open, a kill leaves nothing
		s.file, s.buffer = f, bufio.NewWriterSize(f, bufferSize)
		if _, err := s.mem.WriteTo(s.buffer); err != nil {
			return 0, fmt.Errorf("spooling the result: %w", err)
		}
		s.mem = bytes.Buffer{}
	}
	n, err := s.buffer.Write(p)
	if err != nil {
		err = fmt.Errorf("spooling the result: %w", err)
	}
	return n, err
}

func (s *spool) copyTo(w io.Writer) error {
	var from io.Reader = &s.mem
	if s.file != nil {
		if err := s.buffer.Flush(); err != nil {
			return fmt.Errorf("spooling the result: %w", err)
		}
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("reading the spooled result: %w", err)
		}
		from = s.file
	}
	if _, err := io.Copy(w, from); err != nil {
		return fmt.Errorf("writing to standard output: %w", err)
	}
	return nil
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
	}
}
