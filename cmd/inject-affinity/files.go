package main

import (
	"io"
	"os"

	"github.com/polyarch/polyarch/internal/exit"
)

// A source is a file of manifests, or standard input.
type source struct {
	name string
	path string // empty: standard input
	in   io.Reader
}

func (s source) open() (io.ReadCloser, error) {
	if s.path == "" {
		return io.NopCloser(s.in), nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return nil, exit.Failf("reading manifests: %w", err)
	}
	return f, nil
}

// sources gives what the arguments name; no argument and "-" are standard input.
func sources(args []string, stdin io.Reader) ([]source, error) {
	if len(args) == 0 {
		args = []string{"-"}
	}
	var out []source
	for _, a := range args {
		if a == "-" {
			out = append(out, source{name: "standard input", in: stdin})
			continue
		}
		info, err := os.Stat(a)
		if err != nil {
			return nil, exit.Failf("reading manifests: %w", err)
		}
		if info.IsDir() {
			return nil, exit.Usagef("reading manifests: %s is a folder", a).Hint("name its files, for example %s/*.yaml", a)
		}
		out = append(out, source{name: a, path: a})
	}
	return out, nil
}
