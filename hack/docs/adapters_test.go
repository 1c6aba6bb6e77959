package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/polyarch/polyarch/internal/flagset"
)

const root = "../.."

// An action is what GitHub reads of an action.yml.
type action struct {
	Description string
	Inputs      map[string]field
	Outputs     map[string]field
	Runs        struct{ Using, Main string }
}

type field struct{ Description, Default, Type string }

// byHand are the inputs that are not flags: arguments, and settings of the
// action itself.
var byHand = map[string][]string{
	"detect-arch":     {"working-directory", "version", "releases"},
	"stitch-index":    {"sources", "command", "docker-config", "github-token", "working-directory", "version", "releases"},
	"inject-affinity": {"files", "docker-config", "github-token", "working-directory", "version", "releases"},
}

// renamed are flags that the root action offers under another name, or not at
// all, since two programs mean different things by them.
var renamed = map[string]string{
	"detect-arch context":   "kube-context",
	"inject-affinity image": "",
	"stitch-index check":    "", // a pipeline's is inject-affinity's
}

func TestActionsSayWhatTheFlagsSay(t *testing.T) {
	whole := readAction(t, "action.yml")
	wanted := []string{"step"}
	for _, program := range slices.Sorted(maps.Keys(byHand)) {
		h, err := ask(root, program)
		if err != nil {
			t.Fatal(err)
		}
		path := "actions/" + program + "/action.yml"
		a := readAction(t, path)
		names := slices.Clone(byHand[program])
		wanted = append(wanted, names...)
		for _, in := range githubInputs([]*help{h}) {
			names = append(names, in.Name)
			got := a.Inputs[in.Name]
			if got.Default != in.Default || got.Description != in.Description {
				t.Errorf("%s: input %s is %q with the default %q, the flag %q with %q", path, in.Name, got.Description, got.Default, in.Description, in.Default)
			}
			name, other := renamed[program+" "+in.Name]
			if !other {
				name = in.Name
			}
			if name == "" {
				continue
			}
			wanted = append(wanted, name)
			if got := whole.Inputs[name]; !other && (got.Default != in.Default && got.Default != "" || !strings.Contains(got.Description, in.Description)) {
				t.Errorf("action.yml: input %s is %q with the default %q, %s's flag %q with %q", name, got.Description, got.Default, program, in.Description, in.Default)
			}
		}
		same(t, path+": inputs", names, slices.Collect(maps.Keys(a.Inputs)))
		names = nil
		for _, r := range h.Results {
			names = append(names, r.Name)
			if got := a.Outputs[r.Name]; got.Description != r.Description {
				t.Errorf("%s: output %s is %+v, the result %q", path, r.Name, got, r.Description)
			}
			if _, ok := whole.Outputs[r.Name]; !ok {
				t.Errorf("action.yml has no output %s, which %s has", r.Name, program)
			}
		}
		same(t, path+": outputs", names, slices.Collect(maps.Keys(a.Outputs)))
	}
	same(t, "action.yml: inputs", wanted, slices.Collect(maps.Keys(whole.Inputs)))
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	slices.Sort(want)
	slices.Sort(got)
	if want = slices.Compact(want); !slices.Equal(want, got) {
		t.Errorf("%s are %v, want %v", what, got, want)
	}
}

// The script reads inputs that are not flags by name, and asks the programs for
// their flags. Only the Node versions that runners have run it.
func TestActionsRun(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(root, "actions", "main.js"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range actionFiles(t) {
		a := readAction(t, path)
		if main := filepath.Join(root, filepath.Dir(path), a.Runs.Main); a.Runs.Using != "node24" || a.Runs.Main == "" || !exists(main) {
			t.Errorf("%s uses %s and starts %s", path, a.Runs.Using, main)
		}
		for name, in := range a.Inputs {
			if in.Description == "" || name != strings.ToLower(name) {
				t.Errorf("%s: input %s is not described, or no lower-case words", path, name)
			}
		}
		for name, out := range a.Outputs {
			if out.Description == "" {
				t.Errorf("%s: output %s is not described", path, name)
			}
		}
	}
	names := []string{"step", "kube-context"}
	for _, more := range byHand {
		names = append(names, more...)
	}
	for _, name := range names {
		if !strings.Contains(string(script), "input('"+name+"')") {
			t.Errorf("actions/main.js does not read the input %s", name)
		}
	}
	for name := range notInputs {
		if !strings.Contains(string(script), "'"+name+"'") {
			t.Errorf("actions/main.js would take the flag --%s for an input", name)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A component is what GitLab reads of a file in templates/.
type component struct {
	Inputs map[string]struct {
		Description, Type string
		Default           any
		Options           []string
	}
	Jobs map[string]job
}

// job is also what include is.
type job map[string]any

func (j *job) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	return n.Decode((*map[string]any)(j))
}

// ofComponents are the inputs of components that are not flags, besides those
// that all have, and the flags that are not inputs.
var ofComponents = map[string]struct {
	program      string
	more, except []string // except: flags, and groups of them
}{
	"detect-arch":     {"detect-arch", []string{"kube-context"}, []string{"context"}},
	"build-image":     {"stitch-index", []string{"command"}, []string{"Index", "Annotations", "Evidence", "Files", "no-stitch"}},
	"stitch-index":    {"stitch-index", []string{"sources", "command"}, []string{"no-stitch", "metadata"}},
	"inject-affinity": {"inject-affinity", []string{"files"}, nil},
}

func TestComponentsSayWhatTheFlagsSay(t *testing.T) {
	whole := readComponent(t, "build-multi-arch")
	for name, want := range ofComponents {
		c := readComponent(t, name)
		h, err := ask(root, want.program)
		if err != nil {
			t.Fatal(err)
		}
		job := c.Jobs["$[[ inputs.job-name ]]"]
		variables, _ := job["variables"].(map[string]any)
		if len(c.Jobs) != 2 || job["stage"] != "$[[ inputs.stage ]]" || job["image"] != "$[[ inputs.job-image ]]" || variables["POLYARCH_PROGRAM"] != want.program {
			t.Errorf("%s: it has one job beside include, named, staged and started by inputs: %v", name, c.Jobs)
		}
		names := append(slices.Clone(want.more), "stage", "job-name", "job-image", "version", "releases")
		for _, in := range inputs([]*help{h}) {
			taken := name == "build-image" && slices.Contains([]string{"image", "tag", "verify-binaries"}, in.Name)
			if !taken && (slices.Contains(want.except, in.Name) || slices.Contains(want.except, in.Group)) {
				continue
			}
			names = append(names, in.Name)
			got := c.Inputs[in.Name]
			def := cmp.Or(componentDefaults[in.Program+" "+in.Name], in.Default)
			if fmt.Sprint(got.Default) != def || got.Description != in.Description || !slices.Equal(got.Options, in.Options) || got.Type == "boolean" != in.Bool {
				t.Errorf("%s: input %s is %+v, the flag %q with %q", name, in.Name, got, in.Description, def)
			}
			value := strconv.Quote(fmt.Sprint(variables[variable(in.Name)]))
			if m, ok := variables[variable(in.Name)].(map[string]any); ok {
				value = fmt.Sprintf("{value: %q, expand: %v}", m["value"], m["expand"])
			}
			if value != componentValue(in) {
				t.Errorf("%s: input %s does not reach the program", name, in.Name)
			}
			_, other := renamed[want.program+" "+in.Name]
			if got, ok := whole.Inputs[in.Name]; ok && !other && in.Group != "Readiness" && !strings.Contains(got.Description, in.Description) {
				t.Errorf("build-multi-arch: input %s is %q, %s's flag %q", in.Name, got.Description, want.program, in.Description)
			}
		}
		same(t, name+": inputs", names, slices.Collect(maps.Keys(c.Inputs)))
	}
}

// https://docs.gitlab.com/ci/components/: a project has 30 components at most,
// and none of them has a keyword that acts on jobs of others.
func TestComponents(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(root, "templates", "*"))
	if err != nil || len(paths) > 30 {
		t.Errorf("%d components, %v", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yml")
		c := readComponent(t, name)
		for job := range c.Jobs {
			if job != "include" && !strings.Contains(job, "$[[ inputs.job-") {
				t.Errorf("%s: %s is a global keyword, or a job whose name is no input", name, job)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for in, f := range c.Inputs {
			if f.Description == "" || !strings.Contains(string(text), "$[[ inputs."+in+" ]]") {
				t.Errorf("%s: input %s is not described, or goes nowhere", name, in)
			}
			if s, _ := f.Default.(string); strings.Contains(s, "gitlab.com") {
				t.Errorf("%s: input %s names a host, %s", name, in, s)
			}
		}
	}
}

func readComponent(t *testing.T, name string) component {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "templates", name+".yml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var spec struct{ Spec component }
	d := yaml.NewDecoder(f)
	if err := d.Decode(&spec); err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	if err := d.Decode(&spec.Spec.Jobs); err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	return spec.Spec
}

func TestNotInputs(t *testing.T) {
	var all []flagset.Info
	for _, program := range []string{"detect-arch", "stitch-index", "inject-affinity"} {
		h, err := ask(root, program)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h.Flags...)
	}
	for name := range notInputs {
		if !slices.ContainsFunc(all, func(f flagset.Info) bool { return f.Name == name }) {
			t.Errorf("no program has the flag --%s", name)
		}
	}
}

func actionFiles(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "actions", "*", "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	paths = append(paths, filepath.Join(root, "action.yml"))
	for i := range paths {
		paths[i], _ = filepath.Rel(root, paths[i])
	}
	return paths
}

func readAction(t *testing.T, path string) action {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	var a action
	if err := yaml.Unmarshal(b, &a); err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	if a.Description == "" {
		t.Errorf("%s is not described", path)
	}
	return a
}
