package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// Every YAML snippet of every document works: it parses, and what it passes to
// polyarch's actions, components and Tasks exists there.
func TestSnippets(t *testing.T) {
	n := 0
	err := files(root, func(path string, text []byte) error {
		if filepath.Ext(path) != ".md" {
			return nil
		}
		for _, s := range snippets(string(text)) {
			n++
			c := checker{t: t, where: fmt.Sprintf("%s:%d", path, s.line)}
			c.check(s.text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 10 {
		t.Errorf("there are %d snippets: the test does not find them", n)
	}
	const sample = "catalog/gitlab/sample/.gitlab-ci.yml"
	text, err := os.ReadFile(filepath.Join(root, sample))
	if err != nil {
		t.Fatal(err)
	}
	(&checker{t: t, where: sample}).check(string(text))
}

func TestSnippetsAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		"a: [":       "did not find",
		"a: 1\na: 2": "already defined",
		"on: push\njobs: {a: {steps: [{uses: polyarch/polyarch@v1, with: {no: x}}]}}":                                                                                           "has no input no",
		"on: push\njobs: {a: {steps: [{uses: polyarch/polyarch/actions/none@v1}]}}":                                                                                             "actions/none/action.yml",
		"on: push\njobs: {a: {steps: [{id: x, uses: polyarch/polyarch@v1}, {run: echo, env: {A: '${{ steps.x.outputs.no }}'}}]}}":                                               "has no output no",
		"on: push\njobs: {a: {uses: polyarch/polyarch/.github/workflows/build-multi-arch.yml@v1, with: {image: x, no: y}, secrets: {none: x}}}":                                 "has no input no; build-multi-arch.yml has no secret none",
		"on: push\njobs: {a: {uses: polyarch/polyarch/.github/workflows/build-multi-arch.yml@v1}, b: {needs: a, runs-on: x, steps: [{run: 'echo ${{ needs.a.outputs.no }}'}]}}": "has no output no",
		"include: [{component: $CI_SERVER_FQDN/polyarch/polyarch/detect-arch@v1, inputs: {no: x}}]":                                                                             "has no input no",
		"include: [{component: $CI_SERVER_FQDN/polyarch/polyarch/none@v1}]":                                                                                                     "templates/none.yml",
	} {
		got := &messages{}
		(&checker{t: got, where: "x"}).check(text)
		if !strings.Contains(got.String(), want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

type messages struct{ list []string }

func (m *messages) Errorf(format string, args ...any) {
	m.list = append(m.list, fmt.Sprintf(format, args...))
}
func (m *messages) String() string { return strings.ReplaceAll(strings.Join(m.list, "; "), "x: ", "") }

type checker struct {
	t     interface{ Errorf(string, ...any) }
	where string
}

func (c *checker) errorf(format string, args ...any) {
	c.t.Errorf("%s: %s", c.where, fmt.Sprintf(format, args...))
}

// A document is all kinds of files at once: each has its own keys.
type snippetDocument struct {
	On      any
	Jobs    map[string]snippetJob
	Include yaml.Node
}

type snippetJob struct {
	Uses    string
	With    map[string]string
	Secrets yaml.Node
	Outputs map[string]string
	Steps   []struct {
		ID, Uses string
		With     map[string]string
	}
}

func (c *checker) check(text string) {
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var n yaml.Node
		err := d.Decode(&n)
		if errors.Is(err, io.EOF) {
			return
		}
		var any any
		if err == nil {
			err = n.Decode(&any) // keys that are given twice
		}
		if err != nil {
			c.errorf("%v", err)
			return
		}
		var doc snippetDocument
		if n.Content[0].Kind != yaml.MappingNode || n.Decode(&doc) != nil {
			continue
		}
		if doc.On != nil && doc.Jobs != nil {
			c.workflow(doc.Jobs, text)
		}
		var includes []struct {
			Component string
			Inputs    map[string]yaml.Node
		}
		if doc.Include.Decode(&includes) == nil {
			for _, i := range includes {
				c.component(i.Component, i.Inputs)
			}
		}
	}
}

func (c *checker) workflow(jobs map[string]snippetJob, text string) {
	for name, j := range jobs {
		if path, ok := ours(j.Uses); ok {
			w, err := readWorkflow(path)
			if err != nil {
				c.errorf("%v", err)
				continue
			}
			has(c, path, "input", j.With, w.Inputs)
			var secrets map[string]string
			if j.Secrets.Decode(&secrets) == nil {
				has(c, path, "secret", secrets, w.Secrets)
			}
			has(c, path, "output", used(text, `needs\.`+name+`\.outputs\.([a-z-]+)`), w.Outputs)
		} else if j.Outputs != nil {
			has(c, "job "+name, "output", used(text, `needs\.`+name+`\.outputs\.([a-z-]+)`), j.Outputs)
		}
		for _, s := range j.Steps {
			path, ok := ours(s.Uses)
			if !ok {
				continue
			}
			path = strings.TrimPrefix(path+"/action.yml", "/")
			b, err := os.ReadFile(filepath.Join(root, path))
			var a action
			if err = errors.Join(err, yaml.Unmarshal(b, &a)); err != nil {
				c.errorf("%v", err)
				continue
			}
			has(c, path, "input", s.With, a.Inputs)
			if s.ID != "" {
				has(c, path, "output", used(text, `steps\.`+s.ID+`\.outputs\.([a-z-]+)`), a.Outputs)
			}
		}
	}
}

// ours returns the path in this repository that uses: names.
func ours(uses string) (path string, ok bool) {
	rest, ok := strings.CutPrefix(uses, "polyarch/polyarch")
	path, _, versioned := strings.Cut(rest, "@")
	return strings.TrimPrefix(path, "/"), ok && versioned
}

func used(text, pattern string) map[string]string {
	names := map[string]string{}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		names[m[1]] = ""
	}
	return names
}

func has[A, B any](c *checker, path, what string, names map[string]A, in map[string]B) {
	for name := range names {
		if _, ok := in[name]; !ok {
			c.errorf("%s has no %s %s", filepath.Base(path), what, name)
		}
	}
}

type workflowCall struct {
	Inputs, Secrets, Outputs map[string]any
}

func readWorkflow(path string) (*workflowCall, error) {
	b, err := os.ReadFile(filepath.Join(root, path))
	var w struct {
		On struct {
			Call workflowCall `yaml:"workflow_call"`
		}
	}
	return &w.On.Call, errors.Join(err, yaml.Unmarshal(b, &w))
}

func (c *checker) component(name string, inputs map[string]yaml.Node) {
	_, path, ok := strings.Cut(name, "/polyarch/")
	if !ok {
		return
	}
	path, _, _ = strings.Cut(strings.TrimPrefix(path, "polyarch/"), "@")
	f, err := os.Open(filepath.Join(root, "templates", path+".yml"))
	if err != nil {
		c.errorf("%v", err)
		return
	}
	defer f.Close()
	var spec struct{ Spec component }
	if err := yaml.NewDecoder(f).Decode(&spec); err != nil {
		c.errorf("%v", err)
		return
	}
	has(c, path+".yml", "input", inputs, spec.Spec.Inputs)
}

// The inputs of docker/build-push-action v7.3.0 (action.yml) and of docker/github-builder v1.17.0 (build.yml):
// docs/github.md says what each is here, or why there is no such input.
var theirInputs = map[string][]string{
	"docker/build-push-action, input by input": {
		"add-hosts", "allow", "annotations", "attests", "build-args", "build-contexts", "builder", "cache-from", "cache-to", "call", "cgroup-parent",
		"context", "file", "labels", "load", "network", "no-cache", "no-cache-filters", "outputs", "platforms", "provenance", "pull", "push", "sbom",
		"secrets", "secret-envs", "secret-files", "shm-size", "ssh", "tags", "target", "ulimit", "github-token",
	},
	"docker/github-builder, `build.yml`, input by input": {
		"runner", "distribute", "fail-fast", "job-name-prefix", "setup-qemu", "artifact-name", "artifact-upload", "artifact-retention-days", "annotations",
		"build-args", "cache", "cache-scope", "cache-mode", "context", "file", "labels", "output", "platforms", "push", "sbom", "shm-size", "sign", "target",
		"ulimit", "registry-identities", "set-meta-annotations", "set-meta-labels", "meta-images", "meta-tags", "meta-labels", "meta-annotations",
		"meta-flavor", "registry-auths", "github-token",
	},
}

func TestEveryInputOfOthersIsExplained(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "github.md"))
	if err != nil {
		t.Fatal(err)
	}
	for heading, inputs := range theirInputs {
		_, table, ok := strings.Cut(string(text), heading)
		if !ok {
			t.Errorf("docs/github.md has no table for %s", heading)
		}
		_, table, _ = strings.Cut(table, "|---|---|\n")
		table, _, _ = strings.Cut(table, "\n\n")
		said := ""
		for line := range strings.Lines(table) {
			there, here, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
			if strings.Trim(here, " |\n") != "" {
				said += there
			}
		}
		for _, name := range inputs {
			if !strings.Contains(said, "`"+name+"`") {
				t.Errorf("docs/github.md says nothing of %s's %s", heading, name)
			}
		}
	}
}
