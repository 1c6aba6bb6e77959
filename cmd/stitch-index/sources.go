package main

import (
	"io"
	"os"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/registry"
)

const stdin = "-"

// sources gives what the arguments and the file of sources name.
func (c *config) sources(env *command.Env) ([]index.Source, error) {
	repo := registry.Repository{}
	if c.image != "" {
		var err error
		if repo, _, err = c.repository(); err != nil {
			return nil, err
		}
	}
	var sources []index.Source
	files := []string{}
	for _, a := range env.Args {
		if a == stdin {
			files = append(files, stdin)
			continue
		}
		s, err := index.ParseSource(a, repo)
		if err != nil {
			return nil, err
		}
		sources = append(sources, s)
	}
	if c.sourcesFile != "" {
		files = append(files, c.sourcesFile)
	}
	for n, f := range files {
		if n > 0 && f == stdin && files[n-1] == stdin {
			return nil, exit.Usagef("standard input is named twice as a list of sources")
		}
		more, err := readSources(env, f, repo)
		if err != nil {
			return nil, err
		}
		sources = append(sources, more...)
	}
	return sources, nil
}

func readSources(env *command.Env, name string, repo registry.Repository) ([]index.Source, error) {
	var r io.Reader = env.Stdin
	if name == stdin {
		name = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, exit.Usagef("flag --sources-file: %w", err)
		}
		defer f.Close()
		r = f
	}
	return index.ReadSources(r, name, repo)
}
