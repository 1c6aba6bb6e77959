package program

import (
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/polyarch/polyarch/internal/program/loader"
	"github.com/polyarch/polyarch/internal/program/object"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// shell follows a shell: its options, then a line, a script, or neither.
func (w *walk) shell(argv []string, st state, via []string) result {
	args := argv[1:]
	line, login, errexit := false, strings.HasPrefix(argv[0], "-"), false
	for len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '-' || args[0][0] == '+') {
		a := args[0]
		args = args[1:]
		if a == "--" {
			break
		}
		if strings.HasPrefix(a, "--") {
			switch a {
			case "--login":
				login = true
			case "--rcfile", "--init-file":
				args = args[min(1, len(args)):]
			case "--norc", "--noprofile", "--posix", "--verbose":
			default:
				return doubt("what %s %s does is not followed", argv[0], a)
			}
			continue
		}
		for _, c := range a[1:] {
			switch c {
			case 'c':
				line = true
			case 'l':
				login = true
			case 'i', 's', 'n':
				return doubt("what %s %s does is not followed", argv[0], a)
			case 'e':
				errexit = a[0] == '-'
			case 'o', 'O':
				errexit = errexit || len(args) > 0 && args[0] == "errexit" && a[0] == '-'
				args = args[min(1, len(args)):]
			}
		}
	}
	if len(args) == 0 {
		return result{}
	}
	st = st.clone()
	if login {
		if w.profile(&st); w.below {
			return result{}
		}
	}
	s := &shellRun{walk: w, st: &st, via: via, errexit: errexit, functions: map[string]*syntax.Stmt{}, lang: syntax.LangBash}
	if shellName(argv[0]) != "bash" {
		s.lang = syntax.LangPOSIX
	}
	if !line {
		return s.file(args)
	}
	s.name, s.args = argv[0], nil
	if len(args) > 1 {
		s.name, s.args = args[1], args[2:]
	}
	return s.text(args[0], "")
}

// profile says what a login shell may have changed: it reads files that set
// PATH on most distributions.
func (w *walk) profile(st *state) {
	for _, p := range []string{"/etc/profile", "/root/.profile", "/root/.bash_profile"} {
		_, err := w.view.Find(p)
		switch {
		case errors.Is(err, rootfs.ErrBelow):
			w.below = true
		case err == nil:
			st.unknown["PATH"] = true
		}
	}
}

// file runs a script that is named on the command line.
func (s *shellRun) file(args []string) result {
	name := args[0]
	if s.st.noCwd != "" && !strings.HasPrefix(name, "/") {
		return doubt("%s is in a folder that is not known: %s", name, s.st.noCwd)
	}
	f, err := s.view.Find(loader.Absolute(s.st.cwd, name))
	switch {
	case errors.Is(err, rootfs.ErrBelow):
		s.below = true
		return result{}
	case errors.Is(err, rootfs.ErrMissing) && strings.Contains(name, "/"):
		return wrong("%s, which a shell is to read, is not in the image", name)
	case err != nil:
		return doubt("%s, which a shell is to read: %s", name, err)
	case f.Kind == rootfs.Regular && f.File.Kind == object.Binary:
		return wrong("/%s, which a shell is to read, is a program", f.Path)
	case f.Text == nil:
		return doubt("/%s, which a shell reads, was not looked into", f.Path)
	}
	if s.inScript(strings.Join(args, "\x00")) {
		return result{again: true}
	}
	s.name, s.args = name, args[1:]
	return s.text(string(f.Text), "/"+f.Path)
}

// inScript reports whether a script started itself again: what it does then is
// what it does otherwise.
func (s *shellRun) inScript(name string) bool {
	if s.st.inShells[name] {
		return true
	}
	in := map[string]bool{name: true}
	for k := range s.st.inShells {
		in[k] = true
	}
	s.st.inShells = in
	return false
}

// A shellRun follows a script by its syntax. What depends on values that are
// not known may happen, and what follows it too.
type shellRun struct {
	*walk
	st        *state
	via       []string
	name      string   // $0
	args      []string // $1 …
	noArgs    string   // why args are not known
	errexit   bool
	lang      syntax.LangVariant
	functions map[string]*syntax.Stmt
	depth     int      // of functions
	branch    int      // how deep in what may not happen
	ends      []result // of branches before here that end the shell
	failed    bool     // the last end is one that the script takes for a failure
}

// An end says whether a list of statements ends the shell.
type end uint8

const (
	goesOn end = iota
	mayEnd
	ends
)

func (s *shellRun) text(text, file string) result {
	where := file
	if where == "" {
		where = "its shell's line"
	}
	if strings.Contains(text, "\r\n") {
		return doubt("%s has lines that end with a carriage return", where)
	}
	f, err := syntax.NewParser(syntax.Variant(s.lang)).Parse(strings.NewReader(text), "")
	if err != nil && s.lang == syntax.LangPOSIX { // dash and busybox know some of bash's
		f, err = syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	}
	if err != nil {
		return doubt("%s is not a shell that is understood here", where)
	}
	r, _ := s.list(f.Stmts, true)
	if s.failed {
		r = r.and(doubt("%s ends with a failure of its own", where))
	}
	for _, e := range s.ends {
		r = r.or(e)
	}
	return r
}

// lost drops what is known about the shell's variables and arguments.
func (s *shellRun) lost(why string) {
	s.noArgs, s.st.noCwd, s.st.changed = why, why, why
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "LD_PRELOAD"} {
		s.forget(name)
	}
}

func (s *shellRun) forget(name string) { s.st.unknown[name] = true }

// assign follows NAME=VALUE.
func (s *shellRun) assign(a *syntax.Assign) (r result) {
	if a.Name == nil {
		return r
	}
	name := a.Name.Value
	if a.Value == nil {
		if !a.Naked {
			s.set(name, "", a.Array == nil && a.Index == nil)
		}
		return r
	}
	r = s.substitutions(a.Value)
	v, ok := s.field(a.Value)
	s.set(name, v, ok && !a.Append && a.Array == nil && a.Index == nil)
	return r
}

func (s *shellRun) set(name, value string, known bool) {
	if !known || s.branch > 0 && s.st.env[name] != value {
		s.forget(name)
		return
	}
	s.st.env[name] = value
	delete(s.st.unknown, name)
}

// substitutions follows $(…) wherever it stands in a node.
func (s *shellRun) substitutions(n syntax.Node) (r result) {
	if n == nil {
		return r
	}
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CmdSubst:
			one, _ := s.apart(func(s *shellRun) (result, end) { return s.list(n.Stmts, false) })
			r = r.and(one.maybe())
			return false
		case *syntax.ProcSubst:
			one, _ := s.apart(func(s *shellRun) (result, end) { return s.list(n.Stmts, false) })
			r = r.and(one.maybe())
			return false
		}
		return true
	})
	return r
}

func (s *shellRun) describe(words []*syntax.Word) string {
	var b strings.Builder
	for _, w := range words[:min(len(words), 3)] {
		syntax.NewPrinter().Print(&b, w)
		b.WriteByte(' ')
	}
	return fmt.Sprintf("%q", strings.TrimSpace(b.String()))
}
