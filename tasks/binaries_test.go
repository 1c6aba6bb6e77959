package tasks

import (
	"encoding/json"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"

	"github.com/polyarch/polyarch/internal/output"
)

const imageRepository = "ghcr.io/polyarch/"

// binary returns the name of ours that a step runs: of its image, or of the
// program that an earlier step put there; empty for another one.
func binary(s v1.Step) string {
	if len(s.Command) > 0 {
		if s.Command[0] == "sh" { // that of an image with git
			return ""
		}
		return strings.TrimPrefix(s.Command[0], "/tekton/home/")
	}
	name, ours := strings.CutPrefix(s.Image, imageRepository)
	if !ours {
		return ""
	}
	name, _, _ = strings.Cut(name, ":")
	return name
}

func specs(t *testing.T, name string) []output.Spec {
	t.Helper()
	out, err := exec.Command(filepath.Join(bin, name), "--help", "--json").Output()
	if err != nil {
		t.Fatalf("%s --help --json: %v", name, err)
	}
	var h struct{ Results []output.Spec }
	if err := json.Unmarshal(out, &h); err != nil {
		t.Fatal(err)
	}
	return h.Results
}

var resultFlag = regexp.MustCompile(`^--result=([a-z-]+)(\[\*\])?=\$\((?:step\.)?results\.([A-Za-z_-]+)\.path\)$`)

// resultPath is how a script is told where a result goes.
var resultPath = regexp.MustCompile(`^\$\((?:step\.)?results\.([A-Za-z_-]+)\.path\)$`)

// TestResultsSayWhatTheBinariesSay holds each result to the one that the binary
// writes there: the same words, an array exactly where a list is written.
// Flags and params are held equal by hack/docs, which writes them.
func TestResultsSayWhatTheBinariesSay(t *testing.T) {
	known := map[string][]output.Spec{}
	for _, d := range documents(t) {
		spec, ok := d.task()
		if !ok {
			continue
		}
		written := map[string]bool{}
		for _, step := range spec.Steps {
			for _, e := range step.Env {
				if m := resultPath.FindStringSubmatch(e.Value); m != nil {
					written[m[1]] = true
				}
			}
			name := binary(step)
			if name == "" {
				continue
			}
			if known[name] == nil {
				known[name] = specs(t, name)
			}
			for _, a := range step.Args {
				m := resultFlag.FindStringSubmatch(a)
				if m == nil {
					if strings.HasPrefix(a, "--result") {
						t.Errorf("%s: %s names no result", d.path, a)
					}
					continue
				}
				i := slices.IndexFunc(known[name], func(s output.Spec) bool { return s.Name == m[1] })
				if i < 0 {
					t.Errorf("%s: %s has no result %s", d.path, name, m[1])
					continue
				}
				written[m[3]] = true
				for _, r := range spec.Results {
					if r.Name != m[3] {
						continue
					}
					if want := known[name][i].Description; r.Description != want {
						t.Errorf("%s: result %s is described as %q, %s says %q", d.path, r.Name, r.Description, name, want)
					}
					if (m[2] != "") != (r.Type == "array") {
						t.Errorf("%s: result %s has the type %q and is written with %s", d.path, r.Name, r.Type, a)
					}
				}
			}
		}
		for _, r := range spec.Results {
			if !written[r.Name] {
				t.Errorf("%s: no step writes the result %s", d.path, r.Name)
			}
		}
	}
}

// TestEveryParamIsUsed: a param that no step takes would be silently ignored.
func TestEveryParamIsUsed(t *testing.T) {
	for _, d := range documents(t) {
		spec, ok := d.task()
		if !ok {
			continue
		}
		text, err := json.Marshal(spec.Steps)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range spec.Params {
			if !strings.Contains(string(text), "$(params."+p.Name+")") && !strings.Contains(string(text), "$(params."+p.Name+"[*])") {
				t.Errorf("%s: no step takes the param %s", d.path, p.Name)
			}
		}
	}
}

// TestStepActionsDoWhatTheTasksDo: a StepAction is the step of the Task beside
// it, with paths as params where the Task has workspaces.
func TestStepActionsDoWhatTheTasksDo(t *testing.T) {
	all := documents(t)
	for _, d := range all {
		if d.kind != "StepAction" {
			continue
		}
		action, _ := d.task()
		got := action.Steps[0]
		found := false
		for _, e := range all {
			if e.kind != "Task" || path.Dir(e.path) != path.Dir(d.path) {
				continue
			}
			task, _ := e.task()
			for _, want := range task.Steps {
				found = found || got.Image == want.Image && sameArgs(got.Args, want.Args) && sameArgs(got.Command, want.Command)
			}
		}
		if !found {
			t.Errorf("%s: StepAction %s runs what no step of the Task beside it runs", d.path, d.meta.Name)
		}
	}
}

var workspacePath = regexp.MustCompile(`\$\(workspaces\.([a-z]+)\.path\)`)

func sameArgs(action, task []string) bool {
	return slices.EqualFunc(action, task, func(a, b string) bool {
		b = workspacePath.ReplaceAllString(strings.ReplaceAll(b, "$(results.", "$(step.results."), "$$(params.$1)")
		return a == b
	})
}
