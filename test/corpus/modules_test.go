// Package corpus_test holds inject-affinity to the manifests that public Go
// modules carry: the law as the scheduler's own code judges it, every byte, a
// second run, and no kind passed in silence. Its modules are pinned by
// modules.sum; go mod download fetches them into the module cache.
package corpus_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A module is a Go module on disk.
type module struct{ Path, Version, Dir, Sum, Error string }

// modules downloads what modules.sum names.
var modules = sync.OnceValues(func() ([]module, error) {
	pins, err := os.ReadFile("modules.sum")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "modules-") // a module whose go.sum is what go mod download verifies by
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{"go.mod": "module modules\n", "go.sum": string(pins)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	sums := map[string]string{}
	args := []string{"mod", "download", "-json"}
	for line := range strings.Lines(string(pins)) {
		if f := strings.Fields(line); len(f) == 3 {
			sums[f[0]] = f[2]
			args = append(args, f[0]+"@"+f[1])
		}
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []module
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var m module
		if err := dec.Decode(&m); err != nil {
			return nil, err
		}
		if m.Sum != sums[m.Path] {
			return nil, &fs.PathError{Op: "verifying", Path: m.Path, Err: fs.ErrInvalid}
		}
		all = append(all, m)
	}
	return all, nil
})

func load(t *testing.T) []module {
	t.Helper()
	all, err := modules()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("there are %d modules", len(all))
	}
	return all
}

// files returns the files of the modules that may be manifests.
func files(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, m := range load(t) {
		err := filepath.WalkDir(m.Dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				switch strings.ToLower(filepath.Ext(path)) {
				case ".yaml", ".yml", ".json":
					all = append(all, path)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}
