package main

import (
	"cmp"

	"github.com/polyarch/polyarch/internal/output"
)

func init() {
	// params of a Tekton Task or StepAction: lists are arrays
	blocks["task-params"] = func(h []*help) (out []string) {
		for _, f := range params(h) {
			out = append(out, "- name: "+f.Name)
			out = append(out, described(f.Description)...)
			if f.Repeatable {
				out = append(out, "  type: array", "  default: []")
			} else {
				out = append(out, "  default: "+quote(f.Default))
			}
		}
		return out
	}
	// args of the step that runs the program: the items of an array become
	// arguments of their own, between brackets
	blocks["task-args"] = func(h []*help) (out []string) {
		for _, f := range params(h) {
			if f.Repeatable {
				out = append(out, "- --"+f.Name+"=[", "- $(params."+f.Name+"[*])", `- "]"`)
			} else {
				out = append(out, "- --"+f.Name+"=$(params."+f.Name+")")
			}
		}
		return out
	}
	blocks["task-results"] = func(h []*help) (out []string) {
		for _, r := range taskResults(h) {
			out = append(out, "- name: "+r.Name)
			if r.List {
				out = append(out, "  type: array")
			}
			out = append(out, described(r.Description)...)
		}
		return out
	}
	// the args with which a Task's step writes the results, or a StepAction
	blocks["task-outputs"] = func(h []*help) []string { return outputs(h, "results") }
	blocks["step-outputs"] = func(h []*help) []string { return outputs(h, "step.results") }
}

// chains are the names by which Tekton Chains knows what to sign, and Konflux's
// pipelines what was built.
var chains = map[string]string{"image-url": "IMAGE_URL", "image-digest": "IMAGE_DIGEST", "image-ref": "IMAGE_REF", "images": "IMAGES"}

// joined are lists that Pipelines write into a longer string, or gather from
// the legs of a matrix: Tekton does neither with an array.
var joined = map[string]bool{"stitch-index images": true, "stitch-index missing": true, "stitch-index platforms": true, "stitch-index source": true}

// notInTasks are results that are not useful in a Task: Tekton hands strings
// from task to task, and they share 4,096 bytes.
var notInTasks = map[string]bool{"stitch-index source-list": true}

// A taskResult is a result as a Task declares it.
type taskResult struct {
	output.Spec
	flag string // NAME of --result NAME=PATH
}

func taskResults(helps []*help) []taskResult {
	var all []taskResult
	for _, h := range helps {
		for _, r := range h.Results {
			if notInTasks[h.Name+" "+r.Name] {
				continue
			}
			t := taskResult{r, r.Name}
			t.Name = cmp.Or(chains[r.Name], r.Name)
			t.List = r.List && !joined[h.Name+" "+r.Name]
			if t.List {
				t.flag += "[*]"
			}
			all = append(all, t)
		}
	}
	return all
}

func outputs(helps []*help, in string) (out []string) {
	for _, r := range taskResults(helps) {
		out = append(out, "- --result="+r.flag+"=$("+in+"."+r.Name+".path)")
	}
	return out
}

// params returns the flags that a Task offers, described as the flags are: what
// a list of theirs takes, an array does too.
func params(helps []*help) []input {
	var all []input
	for _, h := range helps {
		for _, f := range h.Flags {
			if _, not := notInputs[f.Name]; not {
				continue
			}
			in := input{Info: f}
			if f.Placeholder == "" {
				in.Default = cmp.Or(f.Default, "false")
			}
			all = append(all, in)
		}
	}
	return all
}
