// Package progress draws lines that change in place on a terminal.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/polyarch/polyarch/internal/text"
)

// Terminal returns how wide w is if it is a terminal that can move its cursor,
// or 0. getenv reads the environment.
func Terminal(w io.Writer, getenv func(string) string) int {
	f, ok := w.(*os.File)
	if !ok || getenv("TERM") == "dumb" || getenv("CI") != "" {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// A Block is some lines at the end of what a terminal shows. While it is
// there, nothing else may be written to the terminal.
type Block struct {
	w      io.Writer
	width  int
	render func() []string

	mu    sync.Mutex
	drawn int
	stop  chan struct{}
	done  chan struct{}
}

// interval is how often a block is drawn: often enough to look alive.
const interval = 200 * time.Millisecond

// Start draws what render gives, again and again. Lines are cut to width.
func Start(w io.Writer, width int, render func() []string) *Block {
	b := &Block{w: w, width: width, render: render, stop: make(chan struct{}), done: make(chan struct{})}
	b.draw()
	go func() {
		defer close(b.done)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				b.draw()
			case <-b.stop:
				return
			}
		}
	}()
	return b
}

// Stop draws once more and leaves the lines where they are.
func (b *Block) Stop() {
	close(b.stop)
	<-b.done
	b.draw()
}

func (b *Block) draw() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var s strings.Builder
	if b.drawn > 0 {
		fmt.Fprintf(&s, "\x1b[%dA", b.drawn) // up
	}
	lines := b.render()
	for _, l := range lines {
		s.WriteString("\r\x1b[K" + cut(text.Line(l), b.width-1) + "\n") // clear, write
	}
	b.drawn = len(lines)
	io.WriteString(b.w, s.String()) // nowhere to report a failure to
}

func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width-1)]) + "…"
}
