package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/kubeyaml"
)

// sniffed is how far into standard input a ResourceList is looked for.
const sniffed = 4 << 10

// settable are the flags that a functionConfig may set. It may come from a
// stranger, so what names a file, or says how a host is reached, is not among
// them.
var settable = []string{"image", "offline", "on-unknown", "timeout", "terms", "cluster-platforms", "taints", "prefer", "pod-spec", "strict"}

// trusted are those that --trust-function adds.
var trusted = []string{"artifacts", "insecure-registry", "report-file"}

// maxFunction is how large a function's input may be, which is read whole.
const maxFunction = 64 << 20

// function takes the flags that a KRM function's input sets. It returns the
// input, of which it may have read the start, or all.
func (c *config) function(ctx context.Context, env *command.Env, stdin io.Reader) (io.Reader, error) {
	start := bufio.NewReaderSize(stdin, sniffed)
	head, err := await(ctx, func() ([]byte, error) {
		b, err := start.Peek(sniffed)
		if err == io.EOF {
			err = nil
		}
		return b, err
	})
	if err != nil {
		return nil, exit.Failf("reading standard input: %w", err)
	}
	if !bytes.Contains(head, []byte("ResourceList")) {
		return start, nil
	}
	all, err := readAll(ctx, standardInput, start, maxFunction)
	if err != nil {
		return nil, err
	}
	settings, err := await(ctx, func() ([]kubeyaml.Setting, error) {
		return kubeyaml.FunctionConfig(kubeyaml.Chunk{Bytes: all, Line: 1})
	})
	if err != nil {
		return nil, exit.InFile(standardInput, err)
	}
	given := map[string]bool{}
	for _, name := range settable {
		given[name] = env.Flags.Given(name) && !env.Flags.Repeatable(name) && name != "timeout" // the shorter one counts
	}
	for _, s := range settings {
		if err := c.set(env, s, given[s.Name]); err != nil {
			return nil, exit.InFile(standardInput, err)
		}
	}
	return bytes.NewReader(all), nil
}

// set takes a setting of a functionConfig. It does not change what was given on
// the command line.
func (c *config) set(env *command.Env, s kubeyaml.Setting, given bool) error {
	switch {
	case slices.Contains(settable, s.Name), c.trustFunction && slices.Contains(trusted, s.Name):
	case slices.Contains(trusted, s.Name):
		return exit.Usagef("functionConfig: %s names files or hosts, which only flags may", s.Name).OnLine(s.Line, 0).
			Hint("give --%s on the command line, or let the functionConfig set it with --trust-function", s.Name)
	default:
		return exit.Usagef("functionConfig: there is no setting %s", s.Name).OnLine(s.Line, 0).
			Hint("the settings are the flags, without the dashes: %s", strings.Join(settable, ", "))
	}
	before := env.Flags.Value(s.Name)
	for _, v := range s.Values {
		if err := env.Flags.Set(s.Name, v); err != nil {
			return exit.Usagef("functionConfig: %w", err).OnLine(s.Line, 0)
		}
	}
	if given && env.Flags.Value(s.Name) != before {
		return exit.Usagef("functionConfig: %s is set on the command line", s.Name).OnLine(s.Line, 0).Hint("remove the setting")
	}
	return nil
}
