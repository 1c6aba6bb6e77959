package main

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/registry"
)

const stdin = "-"

// sources returns what the arguments and the files of sources name.
func (c *config) sources(env *command.Env) ([]index.Source, error) {
	repo, err := c.given()
	if err != nil {
		return nil, err
	}
	check, err := c.checker(repo)
	if err != nil {
		return nil, err
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
	files = append(files, c.sourcesFiles...)
	for n, f := range files {
		if slices.Contains(files[:n], f) && f == stdin {
			return nil, exit.Usagef("standard input is named twice as a list of sources")
		}
		more, err := readSources(env, f, repo)
		if err != nil {
			return nil, err
		}
		for i := range more {
			if err := check.source(&more[i], f); err != nil {
				return nil, err
			}
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

// A sourceCheck refuses sources that came by a file and are not of this run.
type sourceCheck struct {
	expect  map[string]string
	repo    registry.Repository // zero: the index has none
	allowed []registry.Repository
}

func (c *config) checker(repo registry.Repository) (sourceCheck, error) {
	k := sourceCheck{repo: repo}
	var err error
	if k.expect, err = c.stamp(); err != nil {
		return k, err
	}
	for _, name := range c.repositories {
		r, err := registry.ParseRepository(name)
		if err != nil {
			return k, exit.Usagef("flag --allow-repository: %w", err)
		}
		k.allowed = append(k.allowed, r)
	}
	return k, nil
}

// stamp returns what --made-for says.
func (c *config) stamp() (map[string]string, error) {
	made := map[string]string{}
	for _, line := range c.madeFor {
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" || value == "" {
			return nil, exit.Usagef("flag --made-for: %q is not NAME=VALUE", line).Hint("for example --made-for commit=$(git rev-parse HEAD)")
		}
		if old, twice := made[name]; twice && old != value {
			return nil, exit.Usagef("flag --made-for: %s is both %s and %s", name, old, value)
		}
		made[name] = value
	}
	return made, nil
}

// source checks s, which stood in the file, and finds its layout.
func (k sourceCheck) source(s *index.Source, file string) error {
	for _, name := range slices.Sorted(maps.Keys(k.expect)) {
		want := k.expect[name]
		got, said := s.For[name]
		switch {
		case !said:
			return exit.Failf("taking the source %s (%s): the list does not say which %s it was made for, and this run takes those of %s", s.Ref, s.From, name, want).
				Hint("is it a file that was there before? a job that builds has to hand over its result source-list, made with --made-for %s=%s", name, want)
		case got != want:
			return exit.Failf("taking the source %s (%s): it was made for %s %s, and this run takes those of %s", s.Ref, s.From, name, got, want).
				Hint("is it of another run, or of another image of this one?")
		}
	}
	if s.Ref == "" { // a gap
		return nil
	}
	if name, ok, err := layout.ParseName(s.Ref); ok {
		if err != nil || s.For == nil || file == stdin || filepath.IsAbs(name.Path) {
			return err
		}
		// a list that says what it is for travels with its layouts beside it
		if !filepath.IsLocal(name.Path) {
			return exit.Failf("taking the source %s (%s): the layout is not beside the list", s.Ref, s.From)
		}
		name.Path = filepath.Join(filepath.Dir(file), name.Path)
		s.Ref = name.String()
		return nil
	}
	ref, err := registry.ParseReference(s.Ref)
	if err != nil {
		return err
	}
	if k.repo.Path == "" || ref.Repository == k.repo || slices.Contains(k.allowed, ref.Repository) {
		return nil
	}
	return exit.Failf("taking the source %s (%s): it is not of %s", s.Ref, s.From, k.repo).
		Hint("if it is meant to be in this image, allow its repository: --allow-repository %s", ref.Repository)
}

// madeList returns the result source-list.
func (c *config) madeList(sources []string) string {
	made, _ := c.stamp() // it was read before
	b, _ := json.Marshal(struct {
		For     map[string]string `json:"for"`
		Sources []string          `json:"sources"`
	}{made, sources})
	return string(b)
}
