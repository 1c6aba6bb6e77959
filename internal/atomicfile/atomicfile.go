// Package atomicfile writes files so that a reader sees the old content or the
// new one, never a part.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A File is a new content that is not in place yet. It takes the place of the
// old file, whose mode and owner it keeps, with Commit.
type File struct {
	*os.File
	path   string // where the content goes, links resolved
	direct bool   // a device or a pipe: nothing can be renamed over it
	done   bool
}

// Create starts a new content for path. The folder must exist. A new file is
// readable for everyone that the umask lets read it.
func Create(path string) (*File, error) {
	target := path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		target = real
	}
	info, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("writing %s: %w", path, cause(err))
	case info.IsDir():
		return nil, fmt.Errorf("writing %s: it is a folder", path)
	case !info.Mode().IsRegular():
		f, err := os.OpenFile(target, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", path, cause(err))
		}
		return &File{File: f, path: target, direct: true}, nil
	}
	f, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, cause(err))
	}
	out := &File{File: f, path: target}
	if info == nil {
		err = f.Chmod(0o666 &^ umask())
	} else if err = keepOwner(f, info); err == nil {
		err = f.Chmod(info.Mode().Perm()) // after the owner: chown clears bits
	}
	if err != nil {
		out.Abort()
		return nil, fmt.Errorf("writing %s: %w", path, cause(err))
	}
	return out, nil
}

// Commit puts the content in place. After an error the old file still stands.
func (f *File) Commit() error {
	if f.done {
		return nil
	}
	f.done = true
	var err error
	if !f.direct {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil && !f.direct {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		if !f.direct {
			os.Remove(f.Name())
		}
		return fmt.Errorf("writing %s: %w", f.path, cause(err))
	}
	return nil
}

// Abort drops the content. After Commit it does nothing, so it can be deferred.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	f.Close()
	if !f.direct {
		os.Remove(f.Name())
	}
}

// WriteAll writes several files: the contents are all on disk before the first
// of them is put in place.
func WriteAll(files map[string][]byte) error {
	var staged []*File
	defer func() {
		for _, f := range staged {
			f.Abort()
		}
	}()
	for path, b := range files {
		f, err := Create(path)
		if err != nil {
			return err
		}
		staged = append(staged, f)
		if _, err := f.Write(b); err != nil {
			return fmt.Errorf("writing %s: %w", path, cause(err))
		}
	}
	for _, f := range staged {
		if err := f.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// cause drops the path of a temporary file, which means nothing to a user.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
