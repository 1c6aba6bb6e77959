package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/polyarch/polyarch/internal/builder"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/progress"
)

// tailShown is how many of the last lines of a build that failed are repeated.
const tailShown = 20

// A console shows builds that run side by side.
type console interface {
	builder.Watcher
	// close is called when all builds have ended.
	close()
}

// newConsole shows, on a terminal, one line for each build that says what it
// does now; where a CI system folds lines, a group for each build; and
// elsewhere all that they print as it comes.
func newConsole(env *command.Env, legs []builder.Leg) console {
	b := base{env: env}
	for _, l := range legs {
		b.width = max(b.width, len(l.Name))
	}
	width := progress.Terminal(env.Stderr, env.Getenv)
	switch {
	case env.Log.Grouped():
		return newGroups(b)
	case width > 0 && !env.Log.Verbose() && !env.Log.Quiet():
		return newLive(b, legs, width)
	}
	return &stream{b}
}

type base struct {
	env   *command.Env
	width int // of the longest name
}

// failed says again, where a build failed, what it said last: that stands far
// apart between the lines of the others, or was not shown.
func (b *base) failed(leg builder.Leg, err error) {
	var step *builder.StepError
	if !errors.As(err, &step) {
		return
	}
	showFailure(b.env, "the build for "+leg.Name, step.Step.CommandLine(), step.Tail)
}

// showFailure says what command failed, and what it printed last.
func showFailure(env *command.Env, what, commandLine string, tail []string) {
	var s strings.Builder
	s.WriteString(what + " failed; its command was\n  " + commandLine + "\n")
	if tail := tail[max(0, len(tail)-tailShown):]; len(tail) > 0 {
		s.WriteString("and it said last\n")
		for _, line := range tail {
			s.WriteString("  " + line + "\n")
		}
	}
	env.Log.Write([]byte(s.String()))
}

// A stream shows all lines at once, told apart by a prefix.
type stream struct{ base }

func (s *stream) Running(leg builder.Leg, step builder.Step) {
	s.Line(leg, "$ "+step.CommandLine())
}

func (s *stream) Line(leg builder.Leg, line string) {
	for part := range strings.SplitSeq(line, "\n") { // a command may have several lines
		s.env.Log.Infof("%-*s | %s", s.width, leg.Name, part)
	}
}

func (s *stream) Ended(leg builder.Leg, err error) { s.failed(leg, err) }
func (s *stream) close()                           {}

// A live console has one line for each build.
type live struct {
	base
	block *progress.Block

	mu     sync.Mutex
	states []*state // in the order of the legs
	errs   []func()
}

type state struct {
	name    string
	said    string
	started time.Time
	took    time.Duration // 0: it still runs
}

func newLive(b base, legs []builder.Leg, width int) *live {
	l := &live{base: b}
	for _, leg := range legs {
		l.states = append(l.states, &state{name: leg.Name, said: "waiting"})
	}
	l.block = progress.Start(b.env.Stderr, width, l.render)
	return l
}

func (l *live) render() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for _, s := range l.states {
		took := s.took
		if took == 0 && !s.started.IsZero() {
			took = time.Since(s.started)
		}
		lines = append(lines, fmt.Sprintf("%-*s  %5.1fs  %s", l.width, s.name, took.Seconds(), s.said))
	}
	return lines
}

func (l *live) update(leg builder.Leg, change func(*state)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.states {
		if s.name == leg.Name {
			change(s)
		}
	}
}

func (l *live) Running(leg builder.Leg, step builder.Step) {
	l.update(leg, func(s *state) {
		s.said = "$ " + step.CommandLine()
		if s.started.IsZero() {
			s.started = time.Now()
		}
	})
}

func (l *live) Line(leg builder.Leg, line string) {
	l.update(leg, func(s *state) { s.said = line })
}

func (l *live) Ended(leg builder.Leg, err error) {
	l.update(leg, func(s *state) {
		s.took, s.said = max(1, time.Since(s.started)), "built"
		var step *builder.StepError
		switch {
		case errors.As(err, &step):
			s.said = "failed"
			l.errs = append(l.errs, func() { l.failed(leg, err) }) // when the lines are where they stay
		case err != nil:
			s.said = "ended"
		}
	})
}

func (l *live) close() {
	l.block.Stop()
	for _, show := range l.errs {
		show()
	}
}
