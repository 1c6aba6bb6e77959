// Package atomicfile writes files so that a reader sees the old content or the
// new one, never a part.
package atomicfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A File is a new content that is not in place yet. It takes the place of the
// old file, whose mode and owner it keeps, with Commit.
type File struct {
	*os.File
	path   string // where the content goes, links resolved
	direct bool   // a device or a pipe: nothing can be renamed over it
	linked bool   // the old file has other names, which are to have the new content too
	staged bool
	done   bool
	read   fs.FileInfo // of the old file as it was when it was read; nil if that does not matter
}

// ErrChanged is the cause of a Commit that did not take place, since the file
// was changed after it was read.
var ErrChanged = errors.New("it was changed in the meantime")

// Replace is Create for a content that was worked out from the old one: read is
// what the old file was when it was opened, and Commit refuses another.
func Replace(path string, read fs.FileInfo) (*File, error) {
	f, err := Create(path)
	if err == nil {
		f.read = read
	}
	return f, err
}

const keptMode = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

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
		return nil, fmt.Errorf("writing %s: it is a directory", path)
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
		err = f.Chmod(info.Mode() & keptMode) // after the owner: chown clears bits
		out.linked = links(info) > 1
	}
	if err != nil {
		out.Abort()
		return nil, fmt.Errorf("writing %s: %w", path, cause(err))
	}
	return out, nil
}

// Stage ends the writing: the content is on disk, and takes no open file while
// others are written.
func (f *File) Stage() error {
	if f.done || f.staged || f.direct {
		return nil
	}
	f.staged = true
	err := f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", f.path, cause(err))
	}
	return nil
}

// Commit puts the content in place. After an error the old file still stands,
// except for one with several names, which is written through.
func (f *File) Commit() error {
	if f.done {
		return nil
	}
	if err := f.Stage(); err != nil {
		f.Abort()
		return err
	}
	f.done = true
	if f.direct {
		if err := f.Close(); err != nil {
			return fmt.Errorf("writing %s: %w", f.path, cause(err))
		}
		return nil
	}
	err := f.unchanged()
	switch {
	case err != nil:
	case f.linked:
		if err = f.writeThrough(); err == nil {
			err = os.Remove(f.Name())
		}
	default:
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("writing %s: %w", f.path, cause(err))
	}
	return nil
}

// unchanged reports whether the old file is the one that was read.
func (f *File) unchanged() error {
	if f.read == nil {
		return nil
	}
	now, err := os.Lstat(f.path)
	if err != nil {
		return err
	}
	if !os.SameFile(f.read, now) || f.read.Size() != now.Size() || !f.read.ModTime().Equal(now.ModTime()) {
		return ErrChanged
	}
	return nil
}

// writeThrough writes the content into the old file, so that its other names
// have it too.
func (f *File) writeThrough() error {
	from, err := os.Open(f.Name())
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(f.path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	if _, err = io.Copy(to, from); err == nil {
		err = to.Sync()
	}
	if e := to.Close(); err == nil {
		err = e
	}
	return err
}

// Abort drops the content. After Commit it does nothing, so it can be deferred.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	if !f.staged {
		f.Close()
	}
	if !f.direct {
		os.Remove(f.Name())
	}
}

// WriteAll writes several files: the contents are all on disk before the first
// of them is put in place. Pipes are opened before any file is made, and written
// when all others are on disk: both may take until somebody reads.
func WriteAll(files map[string][]byte) error {
	var staged []*File
	defer func() {
		for _, f := range staged {
			f.Abort()
		}
	}()
	var later []func() error
	for _, path := range slices.SortedFunc(maps.Keys(files), pipesFirst) {
		f, err := Create(path)
		if err != nil {
			return err
		}
		staged = append(staged, f)
		write := func() error {
			if _, err := f.Write(files[path]); err != nil {
				return fmt.Errorf("writing %s: %w", path, cause(err))
			}
			return nil
		}
		if f.direct {
			later = append(later, write)
			continue
		}
		if err := write(); err != nil {
			return err
		}
		if err := f.Stage(); err != nil {
			return err
		}
	}
	for _, write := range later {
		if err := write(); err != nil {
			return err
		}
	}
	for _, f := range staged {
		if err := f.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// pipesFirst orders paths of what nothing can be renamed over before the others.
func pipesFirst(a, b string) int {
	rank := func(path string) int {
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return 0
		}
		return 1
	}
	return cmp.Or(rank(a)-rank(b), cmp.Compare(a, b))
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
