package process

import (
	"bytes"
	"regexp"
	"slices"
	"sync"
)

const (
	// TailLines is how many lines of a command's output are kept, to explain a
	// failure and to read reports.
	TailLines = 200
	lineBytes = 4 << 10 // a longer line is cut into pieces
)

// Lines is a writer that hands a stream over line by line and keeps the last
// ones. A carriage return ends a line as well: tools redraw progress with it.
// Colours are left out, and lines without anything else.
type Lines struct {
	Each func(string) // is told each line; may be nil

	mu   sync.Mutex
	rest []byte
	tail []string
}

// Write takes a part of the stream, whatever it ends with.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		i := bytes.IndexAny(l.rest, "\r\n")
		if i < 0 && len(l.rest) < lineBytes {
			return len(p), nil
		}
		n, skip := i, 1
		if i < 0 || i > lineBytes {
			n, skip = lineBytes, 0
		}
		l.add(string(l.rest[:n]))
		l.rest = append(l.rest[:0], l.rest[n+skip:]...)
	}
}

// Tail returns the last lines, TailLines at most.
func (l *Lines) Tail() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.tail)
}

// End hands over what came after the last line break.
func (l *Lines) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		l.add(string(l.rest))
		l.rest = nil
	}
}

// styling is what tools colour their output with, and move the cursor with
// (ECMA-48, section 5.4). It means nothing in a log.
var styling = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]`)

func (l *Lines) add(s string) {
	s = styling.ReplaceAllString(s, "")
	if s == "" {
		return
	}
	if len(l.tail) == TailLines {
		l.tail = append(l.tail[:0], l.tail[1:]...)
	}
	l.tail = append(l.tail, s)
	if l.Each != nil {
		l.Each(s)
	}
}
