package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/kubeyaml"
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
	Left      []note     `json:"left"`            // files and objects that were left alone
	Error     string     `json:"error,omitempty"` // of a run that failed, in a report file
	Hints     []string   `json:"hints,omitempty"`

	kinds    map[string]int          // of Left, by the word that the summary uses
	problems []error                 // why the run cannot succeed
	unknown  map[string]bool         // images whose platforms are not known
	unread   []unreadKind            // that hold containers and are not known
	flags    map[string]bool         // --pod-spec flags that named a place
	images   map[place]platform.List // for ConfigMaps
	policy   policyFile
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

	workload int  // of the document, from 0
	must     bool // it is shown however many there are
}

// add takes what was found in a chunk of a file.
func (r *record) add(s source, f findings) {
	file := s.name
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
	for _, n := range f.left {
		r.leave("patch", note{File: file, Line: n.Line, Text: n.Text})
		r.Notes = append(r.Notes, note{File: file, Line: n.Line, Text: n.Text})
	}
	for _, err := range f.problems {
		r.problems = append(r.problems, exit.InFile(file, err))
	}
	for _, u := range f.unknown {
		if !r.unknown[u.image] {
			set(&r.unknown, u.image)
			r.problems = append(r.problems, exit.InFile(file, u.err))
		}
	}
	for _, u := range f.unread {
		r.unreadAt(file, u)
	}
	for _, flag := range f.flags {
		set(&r.flags, flag)
	}
	for _, k := range f.images {
		if r.images == nil {
			r.images = map[place]platform.List{}
		}
		r.images[k.place] = k.platforms
	}
}

// An unreadKind holds containers at paths that nobody named.
type unreadKind struct {
	kind  string
	paths []string
	why   string // instead of paths
	place note
}

func (r *record) unreadAt(file string, u kubeyaml.Unread) {
	i := slices.IndexFunc(r.unread, func(k unreadKind) bool { return k.kind == u.Kind && (k.why == "") == (u.Why == "") })
	if i < 0 {
		i = len(r.unread)
		r.unread = append(r.unread, unreadKind{kind: u.Kind, why: u.Why, place: note{File: file, Line: u.Line, must: true}})
	}
	if k := &r.unread[i]; !slices.Contains(k.paths, u.Path) {
		k.paths = append(k.paths, u.Path)
	}
}

// noteUnread makes a note of each kind that was not looked at.
func (r *record) noteUnread() {
	for _, k := range r.unread {
		n := k.place
		if k.why != "" {
			n.Text = fmt.Sprintf("%s was not looked at: %s", k.kind, k.why)
			r.Notes = append(r.Notes, n)
			continue
		}
		var flags []string
		for _, path := range k.paths {
			flags = append(flags, "--pod-spec "+shellQuoted(k.kind+"="+path))
		}
		n.Text = fmt.Sprintf("%s holds containers and was not looked at; this takes it: %s", k.kind, strings.Join(flags, " "))
		r.Notes = append(r.Notes, n)
	}
	r.unread = nil
}

func set(m *map[string]bool, key string) {
	if *m == nil {
		*m = map[string]bool{}
	}
	(*m)[key] = true
}

// fileSeen is what the chunks of a file say of it as a whole.
type fileSeen struct {
	source
	object, template, patch bool
}

func (s *fileSeen) add(c kubeyaml.Chunk, f findings) {
	s.object = s.object || f.object
	s.template = s.template || f.template
	s.patch = s.patch || f.patch
}

// file notes what is left alone of a file.
func (r *record) file(s fileSeen) {
	switch {
	case s.patchOf != "":
		n := note{File: s.name, Line: 1, Text: fmt.Sprintf("%s lists it as a patch, so it is left alone; inject-affinity -k %s pins what is built with it", s.patchOf, shellQuoted(filepath.Dir(s.patchOf)))}
		r.leave("patch", n)
		if s.patch {
			r.Notes = append(r.Notes, n)
		}
	case !s.found && s.path != "" && !s.object, !s.found:
	case slices.Contains(kustomizations, filepath.Base(s.path)):
		r.leave("kustomization", note{File: s.name, Text: "it is a kustomization; -k builds it"})
	case s.template:
		r.leave("template", note{File: s.name, Text: "it looks like a template that was not rendered"})
	case !s.object:
		r.leave("file without Kubernetes objects", note{File: s.name, Text: "it has no Kubernetes object"})
	}
}

func (r *record) leave(kind string, n note) {
	if r.kinds == nil {
		r.kinds = map[string]int{}
	}
	r.kinds[kind]++
	r.Left = append(r.Left, n)
}

// maxProblems is how many problems are shown.
const maxProblems = 100

// failed returns the error of a run that cannot succeed, which names all that
// is in the way.
func (r *record) failed(c *config, l *command.Log) error {
	for _, flag := range c.podSpecs {
		if !r.flags[flag] && len(r.problems) == 0 {
			r.problems = append(r.problems, exit.Usagef("flag --pod-spec: no object has a PodSpec at %s", flag).
				Hint("check the group, the kind and the path, or remove the flag"))
		}
	}
	if c.strict && len(r.Left) > 0 {
		for _, n := range r.Left {
			r.problems = append(r.problems, exit.Failf("%s: %s", n.File, n.Text).At(n.File, n.Line, 0))
		}
	}
	switch len(r.problems) {
	case 0:
		return nil
	case 1:
		return r.problems[0]
	}
	files := map[string]bool{}
	for i, err := range r.problems {
		if place := exit.PlaceOf(err); place != nil {
			files[place.File] = true
		}
		if i < maxProblems {
			l.Error(err)
		}
	}
	all := "all of them are above"
	if len(r.problems) > maxProblems {
		all = fmt.Sprintf("the first %d are above", maxProblems)
	}
	return &exit.Error{Code: exit.CodeOf(r.problems[0]), Err: fmt.Errorf("%s in %s, %s; nothing was written", text.Count(len(r.problems), "problem"), text.Count(len(files), "file"), all)}
}

// So many notes and warnings are shown; the report file has all.
const (
	maxNotes    = 10
	maxWarnings = 100
)

func (r *record) log(l *command.Log) {
	for i, n := range r.Warnings {
		if i == maxWarnings {
			l.Warnf("and %s", text.Count(len(r.Warnings)-i, "more warning"))
			break
		}
		l.WarnAt(n.File, n.Line, 0, "%s: line %d: %s", n.File, n.Line, n.Text)
	}
	shown, more := 0, 0
	for _, n := range r.Notes {
		if shown >= maxNotes && !n.must {
			more++
			continue
		}
		if !n.must {
			shown++
		}
		l.Infof("%s: line %d: %s", n.File, n.Line, n.Text)
	}
	if more > 0 {
		l.Infof("and %s of this kind", text.Count(more, "more note"))
	}
	if left := r.leftAlone(); left != "" {
		l.Infof("left alone: %s; --strict makes that an error, --verbose lists them", left)
	}
	for _, n := range r.Left {
		l.Debugf("left alone: %s: %s", n.File, n.Text)
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
	out.Files = c.policyFiles(r.policy)
	if c.reportFile != "" {
		if out.Files == nil {
			out.Files = map[string][]byte{}
		}
		out.Files[c.reportFile] = r.marshal()
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
	if d.Left == nil {
		d.Left = []note{}
	}
	return d
}
