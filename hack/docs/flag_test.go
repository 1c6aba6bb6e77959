package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/flagset"
)

// A new flag is one line in the program that has it: `make docs` puts it into
// every other place where a user finds flags.
func TestAFlagIsOnePlace(t *testing.T) {
	const program = "stitch-index"
	changed, err := stale(root, func(name string) (*help, error) {
		h, err := ask(root, name)
		if err == nil && name == program {
			h.Flags = slices.Insert(h.Flags, 3, flagset.Info{Name: "zebra", Placeholder: "STRIPES", Description: "how many stripes", Group: h.Flags[2].Group})
		}
		return h, err
	})
	if err != nil {
		t.Fatal(err)
	}
	var in []string
	for path, text := range changed {
		if bytes.Contains(text, []byte("zebra")) {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			in = append(in, filepath.ToSlash(rel))
		}
	}
	slices.Sort(in)
	want := []string{
		".github/workflows/build-multi-arch.yml",
		"action.yml",
		"actions/stitch-index/action.yml",
		"docs/stitch-index.md",
		"tasks/build-image/README.md",
		"tasks/build-image/build-image.yaml",
		"tasks/build-image/stepaction.yaml",
		"tasks/stitch-index-gated/README.md", "tasks/stitch-index-gated/stepaction.yaml", "tasks/stitch-index-gated/stitch-index-gated.yaml",
		"tasks/stitch-index/README.md",
		"tasks/stitch-index/stepaction.yaml",
		"tasks/stitch-index/stitch-index.yaml",
		"templates/build-multi-arch.yml",
		"templates/stitch-index.yml",
	}
	if d := cmp.Diff(want, in); d != "" {
		t.Error(d)
	}
}
