package main

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// A resource is what the tables show of a Task or a Pipeline.
type resource struct {
	Spec struct {
		Params     []param
		Workspaces []workspace
		Results    []declared
	}
}

type declared struct{ Name, Type, Description string }

type param struct {
	declared `yaml:",inline"`
	Default  yaml.Node
}

type workspace struct {
	declared `yaml:",inline"`
	Optional bool
	ReadOnly bool `yaml:"readOnly"`
}

var resourceBlock = regexp.MustCompile(`(?s)(<!-- resource: ([a-z0-9./-]+) -->\n).*?(<!-- end -->)`)

// rewriteTables fills in the tables of Tekton resources.
func rewriteTables(doc string, from sources) (string, error) {
	var failed error
	doc = resourceBlock.ReplaceAllStringFunc(doc, func(s string) string {
		m := resourceBlock.FindStringSubmatch(s)
		text, err := from.read(m[2])
		var r resource
		if err == nil {
			err = yaml.Unmarshal(text, &r)
		}
		if err != nil {
			failed = fmt.Errorf("reading %s: %w", m[2], err)
			return s
		}
		return m[1] + r.tables() + m[3]
	})
	return doc, failed
}

func (r *resource) tables() string {
	var b strings.Builder
	row := func(name string, notes []string, description string) {
		if len(notes) > 0 {
			description += " (" + strings.Join(notes, ", ") + ")"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, cell(strings.Join(strings.Fields(description), " ")))
	}
	head := func(title string, rows int) {
		if rows > 0 {
			b.WriteString("\n| " + title + " | |\n|---|---|\n")
		}
	}
	head("param", len(r.Spec.Params))
	for _, p := range r.Spec.Params {
		var notes []string
		if p.Type == "array" {
			notes = append(notes, "array")
		}
		switch {
		case p.Default.IsZero():
			notes = append(notes, "required")
		case p.Default.Value != "":
			notes = append(notes, "default `"+p.Default.Value+"`")
		}
		row(p.Name, notes, p.Description)
	}
	head("workspace", len(r.Spec.Workspaces))
	for _, w := range r.Spec.Workspaces {
		var notes []string
		if w.Optional {
			notes = append(notes, "optional")
		}
		if w.ReadOnly {
			notes = append(notes, "read-only")
		}
		row(w.Name, notes, w.Description)
	}
	head("result", len(r.Spec.Results))
	for _, d := range r.Spec.Results {
		var notes []string
		if d.Type == "array" {
			notes = append(notes, "array")
		}
		row(d.Name, notes, d.Description)
	}
	return b.String() + "\n"
}
