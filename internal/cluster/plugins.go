package cluster

import (
	"bufio"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// client-go starts the programs that a kubeconfig gets credentials from, and
// passes them the process's standard error. What they write reaches a terminal
// unchanged, as with kubectl; elsewhere, where a CI system reads the lines, it
// is relayed line by line.

// A relay is the standard error of such programs.
type relay struct {
	w    *os.File
	done chan struct{} // gets a value for each mark that went through

	mu   sync.Mutex
	last string
}

// mark is a line that no program writes.
const mark = "\x00polyarch\x00"

// relayed calls start with a standard error whose lines go to say. It returns
// nil if that is a terminal's.
func relayed(say func(string), start func() error) (*relay, error) {
	if say == nil || term.IsTerminal(int(os.Stderr.Fd())) {
		return nil, start()
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, start()
	}
	out := &relay{w: w, done: make(chan struct{}, 1)}
	go out.copy(r, say)
	stderr := os.Stderr
	os.Stderr = w
	defer func() { os.Stderr = stderr }()
	return out, start()
}

// maxLine is how much of a line is shown.
const maxLine = 4 << 10

func (r *relay) copy(from io.Reader, say func(string)) {
	lines := bufio.NewReaderSize(from, maxLine)
	for {
		line, _, err := lines.ReadLine() // a longer one comes in pieces
		if err != nil {
			return
		}
		switch s := strings.TrimRight(string(line), " \t\r"); {
		case s == mark:
			r.done <- struct{}{}
		case s != "":
			r.mu.Lock()
			r.last = s
			r.mu.Unlock()
			say(s)
		}
	}
}

// flush waits until all that was written is relayed, and returns the last line.
func (r *relay) flush() string {
	if r == nil {
		return ""
	}
	if _, err := io.WriteString(r.w, "\n"+mark+"\n"); err != nil {
		return ""
	}
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
