package output

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// consoles are those of all systems that flags ask for.
type consoles []Console

func (cs consoles) Inert(lines string) string {
	for _, c := range cs {
		lines = c.Inert(lines)
	}
	return lines
}

func (cs consoles) Annotate(m Message) string {
	var b strings.Builder
	for _, c := range cs {
		b.WriteString(c.Annotate(m))
	}
	return b.String()
}

func (cs consoles) Group(title string) (open, end string) {
	for _, c := range cs {
		o, e := c.Group(title)
		open, end = open+o, e+end
	}
	return open, end
}

// A Filter makes what is written to it inert, line by line. It is safe for use
// by several goroutines.
type Filter struct {
	w       io.Writer
	console Console
	mu      sync.Mutex
	rest    []byte // of a line that has no end yet
}

// maxHeld is how much of a line waits for its end.
const maxHeld = 64 << 10

// NewFilter returns a Filter that writes to w what c finds no command in.
func NewFilter(w io.Writer, c Console) *Filter { return &Filter{w: w, console: c} }

// Write writes whole lines, and keeps what follows the last one.
func (f *Filter) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rest = append(f.rest, p...)
	n := 1 + bytes.LastIndexByte(f.rest, '\n')
	if n == 0 && len(f.rest) > maxHeld {
		f.rest = append(f.rest, '\n')
		n = len(f.rest)
	}
	if err := f.write(n); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what is kept of a line without an end.
func (f *Filter) Flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.write(len(f.rest))
}

func (f *Filter) write(n int) error {
	if n == 0 {
		return nil
	}
	lines := f.console.Inert(string(f.rest[:n]))
	f.rest = append(f.rest[:0], f.rest[n:]...)
	_, err := io.WriteString(f.w, lines)
	return err
}
