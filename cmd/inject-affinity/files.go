package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

const standardInput = "standard input"

// A source is a file of manifests, or standard input.
type source struct {
	name  string
	path  string // empty: standard input
	in    io.Reader
	found bool // in a folder, where other files than manifests are too
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

// sources returns what the arguments name, each file once; no argument and "-"
// are standard input.
func sources(args []string, recursive bool, stdin io.Reader) ([]source, error) {
	if len(args) == 0 {
		args = []string{"-"}
	}
	var out []source
	seen := map[string]bool{}
	add := func(s source) {
		if clean := filepath.Clean(s.path); s.path == "" || !seen[clean] {
			seen[clean] = true
			out = append(out, s)
		}
	}
	for _, a := range args {
		if a == "-" {
			add(source{name: standardInput, in: stdin})
			continue
		}
		info, err := os.Stat(a)
		if err != nil {
			return nil, exit.Failf("reading manifests: %w", err)
		}
		if !info.IsDir() {
			add(source{name: a, path: a})
			continue
		}
		files, err := folder(a, recursive)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			add(source{name: f, path: f, found: true})
		}
	}
	return out, nil
}

// folder returns the files of a folder that may be manifests, sorted.
func folder(path string, recursive bool) ([]string, error) {
	var files []string
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != path && (!recursive || strings.HasPrefix(d.Name(), ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(p)) {
			files = append(files, p)
		}
		return nil
	})
	if err != nil {
		return nil, exit.Failf("reading manifests: %w", err)
	}
	if len(files) == 0 {
		e := exit.Failf("reading manifests: the folder %s has no .yaml, .yml or .json file", path)
		if !recursive {
			e.Hint("add --recursive to look into its folders")
		}
		return nil, e
	}
	return files, nil
}
