package main

import (
	"errors"
	"strings"

	"github.com/polyarch/polyarch/internal/builder"
	"github.com/polyarch/polyarch/internal/command"
)

// tailShown is how many of the last lines of a build that failed are repeated.
const tailShown = 20

// A console shows what builds print: one stream for each platform, told apart
// by a prefix.
type console struct {
	env   *command.Env
	width int // of the longest name
}

func newConsole(env *command.Env, legs []builder.Leg) *console {
	c := &console{env: env}
	for _, l := range legs {
		c.width = max(c.width, len(l.Name))
	}
	return c
}

// Started says what is run.
func (c *console) Started(leg builder.Leg) {
	for _, s := range leg.Steps {
		c.env.Log.Infof("%-*s | $ %s", c.width, leg.Name, s.CommandLine())
	}
}

// Line shows a line of a build.
func (c *console) Line(leg builder.Leg, line string) {
	c.env.Log.Infof("%-*s | %s", c.width, leg.Name, line)
}

// Ended repeats, where the build failed, what it said last: that stands far
// apart between the lines of the others.
func (c *console) Ended(leg builder.Leg, err error) {
	var step *builder.StepError
	if !errors.As(err, &step) {
		return
	}
	var b strings.Builder
	b.WriteString("the build for " + leg.Name + " failed; its command was\n  " + step.Step.CommandLine() + "\n")
	if tail := step.Tail[max(0, len(step.Tail)-tailShown):]; len(tail) > 0 {
		b.WriteString("and it said last\n")
		for _, line := range tail {
			b.WriteString("  " + line + "\n")
		}
	}
	c.env.Log.Write([]byte(b.String()))
}
