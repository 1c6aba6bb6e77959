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
	from := sources{ask: func(string) (*help, error) {
		return &help{
			Flags:   []flagset.Info{{Name: "mode", Placeholder: "a|b", Default: "a", Description: "how", Group: "Work"}, {Name: "json", Description: "<x>", Group: "Output"}},
			Results: []output.Spec{{Name: "platforms", Description: "all of them", List: true}},
		}, nil
	}}
	got, err := rewrite("x\n<!-- flags: tool -->\nold\n<!-- end -->\ny\n<!-- results: tool -->\n<!-- end -->\n", from)
	want := "x\n<!-- flags: tool -->\n\n| Work | |\n|---|---|\n| `--mode a\\|b` | how (default `a`) |\n\n| Output | |\n|---|---|\n| `--json` | &lt;x> |\n\n<!-- end -->\ny\n" +
		"<!-- results: tool -->\n\n| result | |\n|---|---|\n| `platforms`, `platforms[*]` | all of them |\n\n<!-- end -->\n"
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
	if again, _ := rewrite(got, from); again != got {
		t.Error("a second run changes the document")
	}
}

func TestRewriteYAML(t *testing.T) {
	from := sources{ask: func(name string) (*help, error) {
		return &help{Name: name, Flags: []flagset.Info{
			{Name: "mode", Placeholder: "a|b", Default: "a", Description: "how"},
			{Name: "jobs", Placeholder: "N", Default: "4", Description: "how many"},
			{Name: "dry-run", Description: "write nothing"},
			{Name: "tag", Placeholder: "TAG", Description: "the `x` tags: '; can be repeated", Repeatable: true},
			{Name: "color", Placeholder: "COLOR", Description: "of a group", Group: "Looks"},
			{Name: "json", Description: "no input"},
		}, Results: []output.Spec{{Name: "count", Description: "how many there are"}}}, nil
	}}
	doc := "inputs:\n"
	for _, kind := range []string{"action-inputs", "component-inputs", "component-variables", "action-outputs"} {
		doc += "  # " + kind + ": one -mode -Looks two -jobs -color\n  old: 1\n  # end\n"
	}
	for _, kind := range []string{"task-params", "task-args", "task-results", "task-outputs", "step-outputs"} {
		doc += "  # " + kind + ": one -mode -Looks -tag two -jobs -color -dry-run\n  # end\n"
	}
	got, err := rewriteYAML(doc, from)
	want := `inputs:
  # action-inputs: one -mode -Looks two -jobs -color
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
  # component-inputs: one -mode -Looks two -jobs -color
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
    options: ['a', 'b']
    default: 'a'
  # end
  # component-variables: one -mode -Looks two -jobs -color
  POLYARCH_FLAG_JOBS: "$[[ inputs.jobs ]]"
  POLYARCH_FLAG_DRY_RUN: " $[[ inputs.dry-run ]]"
  POLYARCH_FLAG_TAG: "$[[ inputs.tag ]]"
  POLYARCH_FLAG_MODE: "$[[ inputs.mode ]]"
  # end
  # action-outputs: one -mode -Looks two -jobs -color
  count:
    description: >-
      how many there are
  # end
  # task-params: one -mode -Looks -tag two -jobs -color -dry-run
  - name: jobs
    description: >-
      how many
    default: '4'
  - name: dry-run
    description: >-
      write nothing
    default: 'false'
  - name: mode
    description: >-
      how
    default: 'a'
  - name: tag
    description: >-
      the ` + "`x`" + ` tags: '; can be repeated
    type: array
    default: []
  # end
  # task-args: one -mode -Looks -tag two -jobs -color -dry-run
  - --jobs=$(params.jobs)
  - --dry-run=$(params.dry-run)
  - --mode=$(params.mode)
  - --tag=[
  - $(params.tag[*])
  - "]"
  # end
  # task-results: one -mode -Looks -tag two -jobs -color -dry-run
  - name: count
    description: >-
      how many there are
  - name: count
    description: >-
      how many there are
  # end
  # task-outputs: one -mode -Looks -tag two -jobs -color -dry-run
  - --result=count=$(results.count.path)
  - --result=count=$(results.count.path)
  # end
  # step-outputs: one -mode -Looks -tag two -jobs -color -dry-run
  - --result=count=$(step.results.count.path)
  - --result=count=$(step.results.count.path)
  # end
`
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
	if again, _ := rewriteYAML(got, from); again != got {
		t.Error("a second run changes the document")
	}
	if _, err := rewriteYAML("# action-nothing: one\n# end\n", from); err == nil {
		t.Error("an unknown kind of block is no error")
	}
}
