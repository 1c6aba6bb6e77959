package output

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/atomicfile"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/text"
)

// A Spec declares a result of a program.
type Spec struct {
	Name        string `json:"name"` // lower case, words joined by "-"
	Description string `json:"description"`
	List        bool   `json:"list"` // can be had as a JSON array too
}

// A Result is one value. Text has no line break; List holds the same as items.
type Result struct {
	Name string
	Text string
	List []string
}

// A Report is all that a program found out.
type Report struct {
	Results []Result
	Text    string // for people, on standard output
	JSON    any    // for --json
	Summary string // Markdown for GitHub's step summary; empty for none

	Files map[string][]byte // other files of the run, by path, put in place together with the results
}

// Options are the output flags, the same for every program.
type Options struct {
	JSON    bool
	Systems []System // nil: Shipped
}

// Register defines the output flags.
func (o *Options) Register(fs *flagset.Set) {
	if o.Systems == nil {
		o.Systems = Shipped()
	}
	fs.Group("Output")
	fs.Bool(&o.JSON, "json", false, "print one JSON document instead of text")
	for _, s := range o.Systems {
		s.Register(fs)
	}
}

func (o *Options) wanted() []System {
	return slices.DeleteFunc(slices.Clone(o.Systems), func(s System) bool { return s.Wanted() == "" })
}

// Check looks at the flags before any work is done: the results must be among
// specs, and the systems must be there.
func (o *Options) Check(specs []Spec, w World) error {
	for _, s := range o.wanted() {
		if err := s.Check(specs, w); err != nil {
			return err
		}
	}
	return nil
}

// Console returns what obeys commands in what this program prints, or nil.
func (o *Options) Console(w World) Console {
	var all consoles
	for _, s := range o.wanted() {
		if c := s.Console(w); c != nil {
			all = append(all, c)
		}
	}
	if all == nil {
		return nil
	}
	return all
}

// Summarizes reports whether a Report's Summary is shown anywhere.
func (o *Options) Summarizes() bool { return slices.ContainsFunc(o.wanted(), System.Summarizes) }

// Claims returns the flag that needs standard output for itself, or "" if
// there is none: --json, or that of a system that obeys commands in it.
func (o *Options) Claims(w World) string {
	if o.JSON {
		return "--json"
	}
	for _, s := range o.wanted() {
		if s.Console(w) != nil {
			return s.Wanted()
		}
	}
	return ""
}

// Write carries r to everything that the flags name, standard output last.
func (o *Options) Write(r Report, w World) error {
	files := map[string][]byte{}
	names := map[string]string{} // as flags write them, by what they name
	put := func(path string, b []byte) error {
		if other, ok := names[same(path)]; ok {
			return exit.Usagef("writing %s: two outputs would be written to this file%s", path, aka(path, other))
		}
		names[same(path)] = path
		files[path] = b
		return nil
	}
	for path, b := range r.Files {
		if err := put(path, b); err != nil {
			return err
		}
	}
	for _, s := range o.wanted() {
		more, err := s.Files(r, w)
		if err != nil {
			return err
		}
		for _, f := range more {
			if err := put(f.Path, f.Bytes); err != nil {
				return err
			}
		}
	}
	doc := text.Clean(r.Text)
	if o.JSON {
		b, err := json.MarshalIndent(r.JSON, "", "  ")
		if err != nil {
			return fmt.Errorf("writing JSON: %w", err)
		}
		doc = string(b) + "\n"
	}
	if c := o.Console(w); c != nil {
		doc = c.Inert(doc)
	}
	if err := atomicfile.WriteAll(files); err != nil {
		return err
	}
	for _, s := range o.wanted() {
		if err := s.Deliver(r, w); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(w.Stdout, doc); err != nil {
		return fmt.Errorf("writing to standard output: %w", err)
	}
	return nil
}

// same returns a name that two paths of one file share: x and ./x, and where
// folders are links, those too.
func same(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return filepath.Clean(path)
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		return filepath.Join(dir, filepath.Base(abs))
	}
	return abs
}

func aka(path, other string) string {
	if path == other {
		return ""
	}
	return ", which " + other + " is too"
}

// oneLine refuses what would need quoting somewhere: every adapter carries the
// same value, or none does.
func oneLine(r Result) error {
	if text.Clean(r.Text) != r.Text || strings.ContainsAny(r.Text, "\n\t") {
		return exit.Failf("writing result %s: its value %q holds a line break or a control character", r.Name, r.Text)
	}
	return nil
}
