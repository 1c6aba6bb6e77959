package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/kubeyaml"
)

// sniffed is how far into standard input a ResourceList is looked for.
const sniffed = 4 << 10

// settable are the flags that a functionConfig may set.
var settable = []string{"artifacts", "image", "offline", "on-unknown", "insecure-registry", "timeout", "terms", "cluster-platforms", "taints", "pod-spec", "report-file"}

// function takes the flags that a KRM function's input sets. It returns the
// input, of which it may have read the start, or all.
func function(e *command.Env, stdin io.Reader) (io.Reader, error) {
	start := bufio.NewReaderSize(stdin, sniffed)
	head, err := start.Peek(sniffed)
	if err != nil && err != io.EOF {
		return nil, exit.Failf("reading standard input: %w", err)
	}
	if !bytes.Contains(head, []byte("ResourceList")) {
		return start, nil
	}
	all, err := io.ReadAll(start)
	if err != nil {
		return nil, exit.Failf("reading standard input: %w", err)
	}
	settings, ok, err := kubeyaml.FunctionConfig(kubeyaml.Chunk{Bytes: all, Line: 1})
	if err != nil {
		return nil, exit.InFile(standardInput, err)
	}
	if ok {
		for _, s := range settings {
			if !slices.Contains(settable, s.Name) {
				return nil, exit.InFile(standardInput, exit.Usagef("functionConfig: there is no setting %s", s.Name).OnLine(s.Line, 0).
					Hint("the settings are the flags, without the dashes: %s", fmt.Sprint(settable)))
			}
			for _, v := range s.Values {
				if err := e.Flags.Set(s.Name, v); err != nil {
					return nil, exit.InFile(standardInput, exit.Usagef("functionConfig: %w", err).OnLine(s.Line, 0))
				}
			}
		}
	}
	return bytes.NewReader(all), nil
}
