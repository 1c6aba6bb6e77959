package command

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/sethvargo/go-githubactions"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/text"
)

// A Log writes messages to standard error, each line prefixed with the
// program's name. What it prints is cleaned of control characters, so data
// from a registry or a manifest may be passed as it is. It is safe for use by
// several goroutines.
type Log struct {
	mu     sync.Mutex
	w      io.Writer
	name   string
	quiet  bool
	debug  bool
	github *githubactions.Action // nil outside --github
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

// Warnf says what may surprise the user later; on GitHub it is an annotation.
func (l *Log) Warnf(format string, args ...any) {
	l.WarnAt("", 0, 0, format, args...)
}

// WarnAt is Warnf for a place in a file; line and column count from 1, 0 is unknown.
func (l *Log) WarnAt(file string, line, column int, format string, args ...any) {
	l.lines("warning: ", format, args)
	if l.github != nil {
		l.annotate(file, line, column).Warningf("%s", text.Clean(fmt.Sprintf(format, args...)))
	}
}

// Hintf says what to do about what was just said.
func (l *Log) Hintf(format string, args ...any) { l.lines("hint: ", format, args) }

// Write makes a Log a writer for another program's lines.
func (l *Log) Write(p []byte) (int, error) {
	l.lines("", "%s", []any{strings.TrimRight(string(p), "\n")})
	return len(p), nil
}

func (l *Log) err(err error) {
	l.lines("error: ", "%s", []any{err.Error()})
	if l.github != nil {
		place := exit.PlaceOf(err)
		if place == nil {
			place = &exit.Error{}
		}
		message := err.Error()
		for _, h := range exit.HintsOf(err) {
			message += "\n" + h
		}
		l.annotate(place.File, place.Line, place.Column).Errorf("%s", text.Clean(message))
	}
	for _, h := range exit.HintsOf(err) {
		l.Hintf("%s", h)
	}
}

func (l *Log) annotate(file string, line, column int) *githubactions.Action {
	fields := map[string]string{"title": l.name}
	if file != "" {
		fields["file"] = file
	}
	for name, n := range map[string]int{"line": line, "col": column} {
		if n > 0 {
			fields[name] = strconv.Itoa(n)
		}
	}
	return l.github.WithFieldsMap(fields)
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
