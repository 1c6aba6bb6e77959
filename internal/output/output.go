// Package output writes a program's results to where a pipeline looks for
// them: standard output, Tekton result files, GitHub's files, GitLab's dotenv.
//
// Everything is checked before the first byte is written, files are put in
// place whole, and standard output comes last: a failed run leaves nothing.
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
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
	JSON   bool
	Files  flagset.Words
	GitHub bool
	Dotenv string
}

// Register defines the output flags.
func (o *Options) Register(fs *flagset.Set) {
	fs.Group("Output")
	fs.Bool(&o.JSON, "json", false, "print one JSON document instead of text")
	fs.Var(&o.Files, "result", "write one result to a file, without a line break: `NAME=PATH`, or NAME[*]=PATH for a list as a JSON array, as Tekton's array results are; can be repeated")
	fs.Bool(&o.GitHub, "github", false, "set the results as outputs of a GitHub Actions step, add to its summary, and annotate errors and warnings")
	fs.String(&o.Dotenv, "dotenv", "", "write the results as variables to `PATH`, for GitLab's artifacts:reports:dotenv")
}

// Check looks at the flags before any work is done: the results must be among
// specs, and GitHub's files must be named by the environment.
func (o *Options) Check(specs []Spec, getenv func(string) string) error {
	paths := map[string]string{}
	for _, f := range o.Files {
		name, list, path, err := splitFile(f)
		if err != nil {
			return err
		}
		spec, ok := find(specs, name)
		switch {
		case !ok:
			e := exit.Usagef("flag --result: there is no result %q; there are %s", name, strings.Join(names(specs), ", "))
			if n := text.Nearest(name, names(specs)); n != "" {
				e.Hint("did you mean %s?", n)
			}
			return e
		case list && !spec.List:
			return exit.Usagef("flag --result: %s is no list", name).Hint("write --result %s=%s", name, path)
		case paths[path] != "":
			return exit.Usagef("flag --result: %s and %s are to be written to the same file, %s", paths[path], name, path)
		}
		paths[path] = name
	}
	if o.GitHub && getenv("GITHUB_OUTPUT") == "" {
		return exit.Usagef("flag --github: GITHUB_OUTPUT is not set").Hint("leave --github out when not running in a GitHub Actions step")
	}
	return nil
}

// Write writes r to everything that the flags name, standard output last.
func (o *Options) Write(r Report, stdout io.Writer, getenv func(string) string) error {
	files := maps.Clone(r.Files)
	if files == nil {
		files = map[string][]byte{}
	}
	put := func(path string, b []byte) error {
		if _, ok := files[path]; ok {
			return exit.Usagef("writing %s: two outputs are to be written to this file", path)
		}
		files[path] = b
		return nil
	}
	for _, f := range o.Files {
		name, list, path, err := splitFile(f)
		if err != nil {
			return err
		}
		res, ok := result(r.Results, name)
		if !ok {
			return exit.Failf("writing result %s: this run has none", name)
		}
		b := []byte(res.Text)
		if list {
			b = jsonList(res.List)
		} else if err := oneLine(res); err != nil {
			return err
		}
		if err := put(path, b); err != nil {
			return err
		}
	}
	if o.Dotenv != "" {
		b, err := Dotenv(r.Results)
		if err != nil {
			return err
		}
		if err := put(o.Dotenv, b); err != nil {
			return err
		}
	}
	var doc []byte
	if o.JSON {
		b, err := json.MarshalIndent(r.JSON, "", "  ")
		if err != nil {
			return fmt.Errorf("writing JSON: %w", err)
		}
		doc = append(b, '\n')
	} else {
		doc = []byte(text.Clean(r.Text))
	}
	if o.GitHub {
		if err := checkGitHub(r.Results); err != nil {
			return err
		}
		doc = []byte(inertCommands(string(doc)))
	}
	if err := atomicfile.WriteAll(files); err != nil {
		return err
	}
	if o.GitHub {
		if err := writeGitHub(r, getenv); err != nil {
			return err
		}
	}
	if _, err := stdout.Write(doc); err != nil {
		return fmt.Errorf("writing to standard output: %w", err)
	}
	return nil
}

func splitFile(f string) (name string, list bool, path string, err error) {
	name, path, ok := strings.Cut(f, "=")
	if !ok || name == "" || path == "" {
		return "", false, "", exit.Usagef("flag --result: %q is not NAME=PATH", f)
	}
	name, list = strings.CutSuffix(name, "[*]")
	return name, list, path, nil
}

// oneLine refuses what would need quoting somewhere: every adapter carries the
// same value, or none does.
func oneLine(r Result) error {
	if text.Clean(r.Text) != r.Text || strings.ContainsAny(r.Text, "\n\t") {
		return exit.Failf("writing result %s: its value %q holds a line break or a control character", r.Name, r.Text)
	}
	return nil
}

func jsonList(l []string) []byte {
	if l == nil {
		l = []string{}
	}
	b, _ := json.Marshal(l) // strings always can
	return b
}

func find(specs []Spec, name string) (Spec, bool) {
	for _, s := range specs {
		if s.Name == name {
			return s, true
		}
	}
	return Spec{}, false
}

func result(rs []Result, name string) (Result, bool) {
	for _, r := range rs {
		if r.Name == name {
			return r, true
		}
	}
	return Result{}, false
}

func names(specs []Spec) []string {
	var n []string
	for _, s := range specs {
		n = append(n, s.Name)
	}
	return n
}
