package builder

import (
	"bytes"
	"regexp"
	"sync"
)

const (
	tailLines = 200     // of a step's output that are kept, to explain a failure and to read reports
	lineBytes = 4 << 10 // a longer line is cut into pieces
)

// lines hands a stream over line by line and keeps the last ones. A carriage
// return ends a line as well: tools redraw progress with it.
type lines struct {
	mu   sync.Mutex
	each func(string)
	rest []byte
	tail []string
}

func (l *lines) Write(p []byte) (int, error) {
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

// end hands over what came after the last line break.
func (l *lines) end() {
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

func (l *lines) add(s string) {
	s = styling.ReplaceAllString(s, "")
	if s == "" {
		return
	}
	if len(l.tail) == tailLines {
		l.tail = append(l.tail[:0], l.tail[1:]...)
	}
	l.tail = append(l.tail, s)
	if l.each != nil {
		l.each(s)
	}
}
