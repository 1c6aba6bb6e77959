//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func replaced(t *testing.T, path string) (*File, error) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Replace(path, info)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	return f, f.Stage()
}

func TestReplaceKeepsNamesAndBits(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, file, "old text", 0o640)
	if err := os.Chmod(file, 0o640|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	f, err := replaced(t, file)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode()&fs.ModeSetgid == 0 || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}

	write(t, file, "old text", 0o640)
	if err := os.Link(file, other); err != nil {
		t.Fatal(err)
	}
	if f, err = replaced(t, file); err != nil {
		t.Fatal(err)
	}
	if read(t, other) != "old text" {
		t.Error("it was written before Commit")
	}
	if err := f.Commit(); err != nil || read(t, file) != "new" || read(t, other) != "new" {
		t.Errorf("%v: %q, %q", err, read(t, file), read(t, other))
	}
	alone(t, dir, 2)
}

func TestReplaceRefusesWhatChanged(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	for name, change := range map[string]func(){
		"written":  func() { write(t, file, "theirs", 0o644) },
		"replaced": func() { write(t, file+"2", "theirs", 0o644); os.Rename(file+"2", file) },
	} {
		write(t, file, "old", 0o644)
		f, err := replaced(t, file)
		if err != nil {
			t.Fatal(err)
		}
		change()
		if err := f.Commit(); !errors.Is(err, ErrChanged) || read(t, file) != "theirs" {
			t.Errorf("%s: %v, %q", name, err, read(t, file))
		}
		alone(t, dir, 1)
	}
}
