package tool

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/mod/modfile"
)

// version reads p's version from the module's go.mod.
func (p Program) version(module string) (string, error) {
	if p.Version == "" {
		return "local", nil
	}
	path := filepath.Join(module, "go.mod")
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	f, err := modfile.ParseLax(path, b, nil)
	if err != nil {
		return "", err
	}
	for _, r := range f.Require {
		if r.Mod.Path == p.Version {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("reading %s: it does not require %s", path, p.Version)
}

// hash is short for everything that p's executable depends on.
func (p Program) hash(module string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, p.Arch, p.Package, p.LDFlags)
	err := filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(module, path)
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		fmt.Fprintln(h, rel, info.Size())
		_, err = io.Copy(h, f)
		return err
	})
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), err
}
