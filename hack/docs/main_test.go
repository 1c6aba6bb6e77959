package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
)

func TestDocumentsAreCurrent(t *testing.T) {
	if err := run("../..", true); err != nil {
		t.Error(err)
	}
}

func TestRewrite(t *testing.T) {
	ask := func(string) (*help, error) {
		return &help{
			Flags:   []flagset.Info{{Name: "mode", Placeholder: "a|b", Default: "a", Description: "how", Group: "Work"}, {Name: "json", Description: "<x>", Group: "Output"}},
			Results: []output.Spec{{Name: "platforms", Description: "all of them", List: true}},
		}, nil
	}
	got, err := rewrite("x\n<!-- flags: tool -->\nold\n<!-- end -->\ny\n<!-- results: tool -->\n<!-- end -->\n", ask)
	want := "x\n<!-- flags: tool -->\n\n| Work | |\n|---|---|\n| `--mode a\\|b` | how (default `a`) |\n\n| Output | |\n|---|---|\n| `--json` | &lt;x> |\n\n<!-- end -->\ny\n" +
		"<!-- results: tool -->\n\n| result | |\n|---|---|\n| `platforms`, `platforms[*]` | all of them |\n\n<!-- end -->\n"
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
	if again, _ := rewrite(got, ask); again != got {
		t.Error("a second run changes the document")
	}
}
