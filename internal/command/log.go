package command

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/output"
	"github.com/polyarch/polyarch/internal/text"
)

// A Log writes messages to standard error, each line prefixed with the
// program's name. What it prints is cleaned of control characters, so data
// from a registry or a manifest may be passed as it is. It is safe for use by
// several goroutines.
type Log struct {
	mu      sync.Mutex
	w       io.Writer // lines that a CI system would obey are made inert
	raw     io.Writer // for what it is to obey
	name    string
	quiet   bool
	debug   bool
	console output.Console // nil: people alone read what is printed
}

// Infof says what is being done.
func (l *Log) Infof(format string, args ...any) {
	if !l.quiet {
		l.lines("", format, args)
	}
}

// Debugf says how something is done; shown with --verbose.
func (l *Log) Debugf(format string, args ...any) {
	if l.debug {
		l.lines("", format, args)
	}
}

// Verbose reports whether Debugf shows anything.
func (l *Log) Verbose() bool { return l.debug }

// Quiet reports whether Infof shows nothing.
func (l *Log) Quiet() bool { return l.quiet }

// Warnf says what may surprise the user later; a CI system shows it as an
// annotation.
func (l *Log) Warnf(format string, args ...any) {
	l.WarnAt("", 0, 0, format, args...)
}

// WarnAt is Warnf for a place in a file; line and column count from 1, 0 is unknown.
func (l *Log) WarnAt(file string, line, column int, format string, args ...any) {
	l.lines("warning: ", format, args)
	l.annotate(output.Message{Text: fmt.Sprintf(format, args...), File: file, Line: line, Column: column})
}

// Hintf says what to do about what was just said.
func (l *Log) Hintf(format string, args ...any) { l.lines("hint: ", format, args) }

// Write makes a Log a writer for another program's lines.
func (l *Log) Write(p []byte) (int, error) {
	l.lines("", "%s", []any{strings.TrimRight(string(p), "\n")})
	return len(p), nil
}

// Error says what is wrong, with hints; it is for those of several errors that
// the program does not end with.
func (l *Log) Error(err error) { l.err(err) }

func (l *Log) err(err error) {
	l.lines("error: ", "%s", []any{err.Error()})
	place := exit.PlaceOf(err)
	if place == nil {
		place = &exit.Error{}
	}
	message := err.Error()
	for _, h := range exit.HintsOf(err) {
		message += "\n" + h
	}
	l.annotate(output.Message{Error: true, Text: message, File: place.File, Line: place.Line, Column: place.Column})
	for _, h := range exit.HintsOf(err) {
		l.Hintf("%s", h)
	}
}

func (l *Log) annotate(m output.Message) {
	if l.console == nil {
		return
	}
	m.Title = l.name
	l.mu.Lock()
	defer l.mu.Unlock()
	io.WriteString(l.raw, l.console.Annotate(m))
}

// Grouped reports whether Group folds what it shows.
func (l *Log) Grouped() bool { return l.console != nil }

// Group shows all of r, which another program printed, folded under a title,
// where a CI system can.
func (l *Log) Group(title string, r io.Reader) {
	var open, end string
	if l.console != nil {
		open, end = l.console.Group(title)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	io.WriteString(l.raw, open)
	io.Copy(l.w, r)
	if f, ok := l.w.(*output.Filter); ok {
		f.Flush()
	}
	io.WriteString(l.raw, end)
}

func (l *Log) lines(level, format string, args []any) {
	s := text.Clean(fmt.Sprintf(format, args...))
	var b strings.Builder
	for line := range strings.Lines(s + "\n") {
		b.WriteString(l.name + ": " + level + line)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	io.WriteString(l.w, b.String()) // nowhere to report a failure to
}
