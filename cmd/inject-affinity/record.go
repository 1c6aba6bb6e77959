package main

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/output"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/text"
)

// A record is what a run did: the document of --json and --report-file.
type record struct {
	Changed   int        `json:"changed"`
	Files     []string   `json:"files"` // that changed, or would
	Workloads []workload `json:"workloads"`
	Warnings  []note     `json:"warnings"`
	Notes     []note     `json:"notes"`
	Error     string     `json:"error,omitempty"` // of a run that failed, in a report file
	Hints     []string   `json:"hints,omitempty"`
}

// A workload is an object with a PodSpec.
type workload struct {
	File      string        `json:"file"`
	Line      int           `json:"line"`
	Kind      string        `json:"kind"`
	Namespace string        `json:"namespace,omitempty"`
	Name      string        `json:"name"`
	Platforms platform.List `json:"platforms"` // null: not known
	Changed   bool          `json:"changed"`
}

// A note is a sentence about a place.
type note struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`

	workload int // of the document, from 0
}

// add takes what was found in a chunk of a file.
func (r *record) add(file string, f findings) {
	if len(f.edits) > 0 && (len(r.Files) == 0 || r.Files[len(r.Files)-1] != file) {
		r.Files = append(r.Files, file)
	}
	for _, w := range f.workloads {
		w.File = file
		r.Workloads = append(r.Workloads, w)
		if w.Changed {
			r.Changed++
		}
	}
	for _, n := range f.warnings {
		n.File = file
		r.Warnings = append(r.Warnings, n)
	}
	for _, n := range f.notes {
		n.File = file
		r.Notes = append(r.Notes, n)
	}
}

// maxNotes is how many notes are shown; the report file has all.
const maxNotes = 10

func (r *record) log(l *command.Log) {
	for _, n := range r.Warnings {
		l.WarnAt(n.File, n.Line, 0, "%s: line %d: %s", n.File, n.Line, n.Text)
	}
	for i, n := range r.Notes {
		if i == maxNotes {
			l.Infof("and %s of this kind", text.Count(len(r.Notes)-i, "more note"))
			break
		}
		l.Infof("%s: line %d: %s", n.File, n.Line, n.Text)
	}
	for _, w := range r.Workloads {
		l.Debugf("%s: line %d: %s %s: platforms %s, changed: %t", w.File, w.Line, w.Kind, w.Name, w.Platforms, w.Changed)
	}
}

// stale is the error of --check. Each workload has a warning of its own, at its
// place.
func (r *record) stale(l *command.Log) error {
	shown := 0
	for _, w := range r.Workloads {
		if !w.Changed {
			continue
		}
		if shown++; shown > maxNotes {
			break // the error counts them
		}
		l.WarnAt(w.File, w.Line, 0, "%s: line %d: %s %s would change", w.File, w.Line, w.Kind, w.Name)
	}
	return exit.Failf("checking manifests: %s in %s would change: %s", text.Count(r.Changed, "workload"), text.Count(len(r.Files), "file"), strings.Join(r.Files, ", ")).
		Hint("run inject-affinity with --write instead of --check, or --diff to see what would change")
}

func (r *record) report(c *config, diff *excerpt) output.Report {
	out := output.Report{
		Results: []output.Result{
			{Name: "changed", Text: strconv.Itoa(r.Changed)},
			{Name: "workloads", Text: strconv.Itoa(len(r.Workloads))},
			{Name: "files", Text: strings.Join(r.Files, ","), List: r.Files},
		},
		JSON:    r.document(),
		Summary: r.summary(diff),
	}
	if c.reportFile != "" {
		out.Files = map[string][]byte{c.reportFile: r.marshal()}
	}
	return out
}

func (r *record) marshal() []byte {
	b, _ := json.MarshalIndent(r.document(), "", "  ") // strings and numbers always can
	return append(b, '\n')
}

// document returns the record with empty lists instead of null.
func (r *record) document() record {
	d := *r
	if d.Files == nil {
		d.Files = []string{}
	}
	if d.Workloads == nil {
		d.Workloads = []workload{}
	}
	if d.Warnings == nil {
		d.Warnings = []note{}
	}
	if d.Notes == nil {
		d.Notes = []note{}
	}
	return d
}
