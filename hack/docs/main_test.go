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

func TestRewriteYAML(t *testing.T) {
	ask := func(name string) (*help, error) {
		return &help{Name: name, Flags: []flagset.Info{
			{Name: "mode", Placeholder: "a|b", Default: "a", Description: "how"},
			{Name: "jobs", Placeholder: "N", Default: "4", Description: "how many"},
			{Name: "dry-run", Description: "write nothing"},
			{Name: "tag", Placeholder: "TAG", Description: "the `x` tags: '; can be repeated", Repeatable: true},
			{Name: "json", Description: "no input"},
		}, Results: []output.Spec{{Name: "count", Description: "how many there are"}}}, nil
	}
	doc := "inputs:\n"
	for _, kind := range []string{"action-inputs", "component-inputs", "action-env", "component-variables", "action-outputs"} {
		doc += "  # " + kind + ": one -mode two -jobs\n  old: 1\n  # end\n"
	}
	got, err := rewriteYAML(doc, ask)
	want := `inputs:
  # action-inputs: one -mode two -jobs
  jobs:
    description: >-
      how many
    default: '4'
  dry-run:
    description: >-
      write nothing
    default: 'false'
  tag:
    description: >-
      the ` + "`x`" + ` tags: '; one on each line
    default: ''
  mode:
    description: >-
      how
    default: 'a'
  # end
  # component-inputs: one -mode two -jobs
  jobs:
    description: >-
      how many
    type: number
    default: 4
  dry-run:
    description: >-
      write nothing
    type: boolean
    default: false
  tag:
    description: >-
      the ` + "`x`" + ` tags: '; one on each line
    default: ''
  mode:
    description: >-
      how
    options: [a, b]
    default: 'a'
  # end
  # action-env: one -mode two -jobs
  POLYARCH_FLAG_JOBS: ${{ inputs.jobs }}
  POLYARCH_FLAG_DRY_RUN: ${{ inputs.dry-run }}
  POLYARCH_FLAG_TAG: ${{ inputs.tag }}
  POLYARCH_FLAG_MODE: ${{ inputs.mode }}
  # end
  # component-variables: one -mode two -jobs
  POLYARCH_FLAG_JOBS: "$[[ inputs.jobs ]]"
  POLYARCH_FLAG_DRY_RUN: "$[[ inputs.dry-run ]]"
  POLYARCH_FLAG_TAG: "$[[ inputs.tag ]]"
  POLYARCH_FLAG_MODE: "$[[ inputs.mode ]]"
  # end
  # action-outputs: one -mode two -jobs
  count:
    description: >-
      how many there are
    value: ${{ steps.two.outputs.count || steps.one.outputs.count }}
  # end
`
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
	if again, _ := rewriteYAML(got, ask); again != got {
		t.Error("a second run changes the document")
	}
	if _, err := rewriteYAML("# action-nothing: one\n# end\n", ask); err == nil {
		t.Error("an unknown kind of block is no error")
	}
}
