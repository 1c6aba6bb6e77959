package atomicfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestCommitKeepsModeAndLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes and links are unix's")
	}
	dir := t.TempDir()
	file, link := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "link.yaml")
	write(t, file, "old", 0o640)
	if err := os.Symlink("a.yaml", link); err != nil {
		t.Fatal(err)
	}
	f, err := Create(link)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); got != "old" {
		t.Errorf("before Commit the file holds %q", got)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o640 || read(t, link) != "new" {
		t.Errorf("mode %v, content %q, %v", info.Mode(), read(t, link), err)
	}
	if l, err := os.Lstat(link); err != nil || l.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", l, err)
	}
	alone(t, dir, 2)
}

func TestAbortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "new"))
	if err != nil {
		t.Fatal(err)
	}
	f.Abort()
	alone(t, dir, 0)
}

func TestWriteAll(t *testing.T) {
	dir := t.TempDir()
	a := filepath.Join(dir, "a")
	write(t, a, "old", 0o644)
	err := WriteAll(map[string][]byte{a: []byte("new"), filepath.Join(dir, "no", "b"): nil})
	if err == nil || !strings.Contains(err.Error(), filepath.Join("no", "b")) || strings.Contains(err.Error(), ".b.") {
		t.Errorf("error %v, want one that names the file that could not be written", err)
	}
	if got := read(t, a); got != "old" {
		t.Errorf("one file failed and the other one holds %q", got)
	}
	alone(t, dir, 1)
	if err := WriteAll(map[string][]byte{a: []byte("new"), filepath.Join(dir, "b"): nil}); err != nil || read(t, a) != "new" {
		t.Errorf("%v, %q", err, read(t, a))
	}
	if err := WriteAll(map[string][]byte{dir: nil}); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("writing a folder: %v", err)
	}
	if err := WriteAll(map[string][]byte{os.DevNull: []byte("x")}); err != nil {
		t.Errorf("writing a device: %v", err)
	}
}

func write(t *testing.T, path, s string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(s), mode); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func alone(t *testing.T, dir string, want int) {
	t.Helper()
	if e, err := os.ReadDir(dir); err != nil || len(e) != want {
		t.Errorf("the folder holds %v, want %d entries (%v)", e, want, err)
	}
}
