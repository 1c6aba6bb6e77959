package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// A spool keeps what is to be printed until the run has succeeded: in memory
// at first, in a temporary file beyond spoolLimit.
type spool struct {
	mem  bytes.Buffer
	file *os.File
}

const spoolLimit = 8 << 20

func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && s.mem.Len()+len(p) > spoolLimit {
		f, err := os.CreateTemp("", "inject-affinity-*")
		if err != nil {
			return 0, fmt.Errorf("spooling the result: %w", err)
		}
		s.file = f
	}
	if s.file == nil {
		return s.mem.Write(p)
	}
	if s.mem.Len() > 0 {
		if _, err := s.mem.WriteTo(s.file); err != nil {
			return 0, fmt.Errorf("spooling the result: %w", err)
		}
	}
	n, err := s.file.Write(p)
	if err != nil {
		err = fmt.Errorf("spooling the result: %w", err)
	}
	return n, err
}

func (s *spool) copyTo(w io.Writer) error {
	var from io.Reader = &s.mem
	if s.file != nil {
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
