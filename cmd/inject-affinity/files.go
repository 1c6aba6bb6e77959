package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/polyarch/polyarch/internal/exit"
)

const standardInput = "standard input"

// A source is a file of manifests, or a stream.
type source struct {
	name    string
	path    string        // empty: a stream
	in      io.ReadCloser // the stream
	found   bool          // in a folder, where other files than manifests are too
	root    *os.Root      // of that folder, which nothing leads out of
	rel     string        // of path, from root on
	patchOf string        // the kustomization that lists it as a patch
}

// open opens a source. What a folder holds has to be a regular file.
func (s source) open(ctx context.Context) (io.ReadCloser, error) {
	if s.path == "" {
		return s.in, nil
	}
	if s.root == nil {
		return openFile(ctx, s.path)
	}
	f, err := s.root.OpenFile(s.rel, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, exit.Failf("reading %s: %w", s.name, cause(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file any more")
	}
	if err != nil {
		f.Close()
		return nil, exit.Failf("reading %s: %w", s.name, cause(err))
	}
	return f, nil
}

// openFile opens a file that the user named, which may be a pipe. A pipe
// without a writer ends with the context.
func openFile(ctx context.Context, path string) (*os.File, error) {
	type opened struct {
		f   *os.File
		err error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.Open(path)
		done <- opened{f, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, exit.Failf("reading %s: %w", path, cause(o.err))
		}
		return o.f, nil
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				o.f.Close()
			}
		}()
		return nil, fmt.Errorf("opening %s: %w", path, context.Cause(ctx))
	}
}

// readFile reads a small file that the user named.
func readFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	f, err := openFile(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(ctx, path, f, limit)
}

// readAll reads a stream up to a limit, for as long as the context allows.
func readAll(ctx context.Context, name string, r io.Reader, limit int64) ([]byte, error) {
	b, err := await(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(r, limit+1)) })
	if err == nil && int64(len(b)) > limit {
		err = exit.Failf("it has more than %d MiB", limit>>20)
	}
	if err != nil {
		return nil, exit.Failf("reading %s: %w", name, cause(err))
	}
	return b, nil
}

// await does what may take long, or never end, and gives it up with the context.
func await[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := do()
		done <- result{value, err}
	}()
	select {
	case got := <-done:
		return got.value, got.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// cause drops the path that the message names already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// sources returns what the arguments name, each file once; no argument and "-"
// are standard input.
func (c *config) sources(args []string, stdin io.Reader) ([]source, []note, error) {
	if len(args) == 0 {
		args = []string{"-"}
	}
	var out []source
	var left []note
	seen := map[string]bool{}
	add := func(s source) {
		if clean := filepath.Clean(s.path); s.path == "" || !seen[clean] {
			seen[clean] = true
			out = append(out, s)
		}
	}
	patches := patches{}
	for _, a := range args {
		if a == "-" {
			add(source{name: standardInput, in: io.NopCloser(stdin)})
			continue
		}
		info, err := os.Stat(a)
		if err != nil {
			return nil, nil, exit.Failf("reading manifests: %w", err)
		}
		if !info.IsDir() {
			add(source{name: a, path: a, patchOf: patches.of(a)})
			continue
		}
		f, err := c.folder(a)
		if err != nil {
			return nil, nil, err
		}
		left = append(left, f.left...)
		for _, rel := range f.files {
			path := filepath.Join(a, rel)
			add(source{name: path, path: path, found: true, root: f.root, rel: rel, patchOf: patches.of(path)})
		}
	}
	return out, left, nil
}
