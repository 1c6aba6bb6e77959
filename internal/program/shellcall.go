package program

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/polyarch/polyarch/internal/program/loader"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// builtins change nothing that matters here.
var builtins = map[string]bool{
	"echo": true, "printf": true, "true": true, "false": true, ":": true, "test": true, "[": true, "umask": true, "ulimit": true, "trap": true,
	"wait": true, "jobs": true, "kill": true, "type": true, "hash": true, "times": true, "let": true, "getopts": true, "shopt": true, "break": true,
	"continue": true, "pwd": true, "disown": true, "suspend": true, "caller": true, "enable": true, "complete": true,
}

// harmless programs change no file that is started or loaded.
var harmless = map[string]bool{
	"grep": true, "egrep": true, "fgrep": true, "cat": true, "ls": true, "id": true, "whoami": true, "hostname": true, "date": true, "basename": true,
	"dirname": true, "sort": true, "head": true, "tail": true, "wc": true, "cut": true, "tr": true, "expr": true, "sleep": true, "uname": true, "stat": true,
	"mkdir": true, "chown": true, "chgrp": true, "getent": true, "seq": true, "tty": true, "readlink": true, "realpath": true, "which": true, "mktemp": true,
	"touch": true, "nproc": true, "ps": true, "free": true, "df": true, "du": true, "env": true, "printenv": true, "uniq": true, "rev": true, "md5sum": true,
	"sha256sum": true, "base64": true, "logger": true, "ulimit": true,
}

// changing programs change files.
var changing = map[string]bool{
	"cp": true, "mv": true, "ln": true, "rm": true, "chmod": true, "install": true, "tar": true, "unzip": true, "gunzip": true, "curl": true, "wget": true,
	"dd": true, "sed": true, "tee": true, "rsync": true, "git": true, "apt": true, "apt-get": true, "apk": true, "dnf": true, "yum": true, "pip": true, "pip3": true,
	"npm": true, "yarn": true, "ldconfig": true, "mount": true, "umount": true, "patchelf": true, "update-alternatives": true, "unlink": true, "truncate": true,
	"setcap": true, "strip": true, "perl": true, "python": true, "python3": true, "awk": true, "busybox": true, "rmdir": true, "find": true, "xargs": true, "dpkg": true, "rpm": true,
}

func (s *shellRun) call(c *syntax.CallExpr) (r result, how end) {
	for _, w := range c.Args {
		r = r.and(s.substitutions(w))
	}
	if len(c.Args) == 0 {
		for _, a := range c.Assigns {
			r = r.and(s.assign(a))
		}
		return r, goesOn
	}
	argv, known := s.fields(c.Args)
	if len(argv) == 0 && known {
		return r, goesOn
	}
	if !known {
		if len(argv) == 0 || !quiet(argv[0]) {
			s.st.changed = "a script that runs " + s.describe(c.Args)
			r = r.and(doubt("a script runs %s, which is not known before it runs", s.describe(c.Args)))
			if len(argv) > 0 && (argv[0] == "exec") {
				return r, ends
			}
			if len(argv) == 0 || argv[0] == "set" || argv[0] == "shift" || argv[0] == "." || argv[0] == "source" || argv[0] == "eval" || argv[0] == "cd" {
				s.lost("a script that runs " + s.describe(c.Args))
			}
			return r, goesOn
		}
		return s.run(argv, c, r, false)
	}
	return s.run(argv, c, r, true)
}

// quiet are commands whose arguments do not matter.
func quiet(name string) bool { return builtins[name] || harmless[name] }

// run follows a command whose name is known.
func (s *shellRun) run(argv []string, c *syntax.CallExpr, r result, all bool) (result, end) {
	name := argv[0]
	if body, ok := s.functions[name]; ok {
		return s.function(argv, body, r)
	}
	if builtins[name] {
		return r, goesOn
	}
	switch name {
	case "exec":
		return s.exec_(argv[1:], c, r)
	case "exit":
		if len(argv) > 1 && argv[1] != "0" {
			s.failed = true
			return r, ends
		}
		return r, ends
	case "return":
		return r, mayEnd
	case "cd":
		s.cd(argv[1:])
		return r, goesOn
	case "export", "readonly", "local", "declare", "typeset":
		return r, goesOn
	case "unset":
		for _, n := range argv[1:] {
			if s.branch > 0 {
				s.forget(n)
			} else {
				delete(s.st.env, n)
			}
		}
		return r, goesOn
	case "read", "mapfile", "readarray":
		for _, n := range argv[1:] {
			s.forget(n)
		}
		return r, goesOn
	case "set":
		s.setOptions(argv[1:])
		return r, goesOn
	case "shift":
		s.shift(argv[1:])
		return r, goesOn
	case "command", "builtin":
		if len(argv) == 1 || strings.HasPrefix(argv[1], "-") {
			return r, goesOn
		}
		return s.run(argv[1:], c, r, all)
	case ".", "source":
		return s.source(argv[1:], r)
	case "eval", "alias":
		s.lost("a script with " + name)
		return r.and(doubt("a script uses %s, which is not followed", name)), mayEnd
	}
	st := s.st.clone()
	s.temporary(c, &st)
	r = r.and(s.walk.exec(argv, st, byShell, s.via))
	switch base := path.Base(name); {
	case base == "find" && !slices.ContainsFunc(argv, func(a string) bool {
		return a == "-delete" || strings.HasPrefix(a, "-exec") || strings.HasPrefix(a, "-ok")
	}):
	case base == "sed" && !slices.ContainsFunc(argv, func(a string) bool { return strings.HasPrefix(a, "-i") || strings.HasPrefix(a, "--in-place") }):
	case changing[base]:
		s.st.changed = "a script that runs " + base
		r = r.and(doubt("a script runs %s, which may change what is started after it", base))
	case !harmless[base]:
		s.st.changed = "/" + strings.TrimPrefix(name, "/") + ", which runs before,"
	}
	return r, goesOn
}

// temporary sets the variables that stand before a command.
func (s *shellRun) temporary(c *syntax.CallExpr, st *state) {
	for _, a := range c.Assigns {
		if a.Name == nil {
			continue
		}
		v, ok := "", true
		if a.Value != nil {
			v, ok = s.field(a.Value)
		}
		if ok && !a.Append {
			st.env[a.Name.Value] = v
			delete(st.unknown, a.Name.Value)
		} else {
			st.unknown[a.Name.Value] = true
		}
	}
}

// exec_ is the builtin exec: the shell becomes the command.
func (s *shellRun) exec_(args []string, c *syntax.CallExpr, r result) (result, end) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "-" {
		a := args[0]
		args = args[1:]
		if a == "--" {
			break
		}
		if a == "-a" && len(args) > 0 {
			args = args[1:]
		}
	}
	if len(args) == 0 {
		return r, goesOn // redirections alone
	}
	st := s.st.clone()
	s.temporary(c, &st)
	return r.and(s.walk.exec(args, st, byShell, s.via)), ends
}

func (s *shellRun) cd(args []string) {
	for len(args) > 0 && (args[0] == "--" || args[0] == "-P" || args[0] == "-L") {
		args = args[1:]
	}
	switch {
	case len(args) != 1 || args[0] == "-" || s.branch > 0 || s.st.env["CDPATH"] != "":
		s.st.noCwd = "a script changes it"
		return
	case s.st.noCwd != "" && !strings.HasPrefix(args[0], "/"):
		return
	}
	p := loader.Absolute(s.st.cwd, args[0])
	f, err := s.view.Find(p)
	switch {
	case errors.Is(err, rootfs.ErrBelow):
		s.below = true
	case err != nil || f.Kind != rootfs.Folder:
		s.st.noCwd = "a script changes to " + args[0] + ", which is not in the image"
	default:
		s.st.cwd, s.st.noCwd = p, ""
	}
}

func (s *shellRun) setOptions(args []string) {
	for len(args) > 0 && args[0] != "" && (args[0][0] == '-' || args[0][0] == '+') {
		a := args[0]
		args = args[1:]
		if a == "--" || a == "-" {
			s.setArgs(args)
			return
		}
		on := a[0] == '-'
		for _, c := range a[1:] {
			if c == 'e' {
				s.errexit = on && s.branch == 0
			}
			if c == 'o' && len(args) > 0 {
				if args[0] == "errexit" {
					s.errexit = on && s.branch == 0
				}
				args = args[1:]
			}
		}
	}
	if len(args) > 0 {
		s.setArgs(args)
	}
}

func (s *shellRun) setArgs(args []string) {
	if s.branch > 0 {
		s.noArgs = "a script may change its arguments"
		return
	}
	s.args, s.noArgs = args, ""
}

func (s *shellRun) shift(args []string) {
	n := 1
	if len(args) > 0 {
		v, err := strconv.Atoi(args[0])
		if err != nil {
			s.noArgs = "a script shifts its arguments"
			return
		}
		n = v
	}
	if s.branch > 0 {
		s.noArgs = "a script may change its arguments"
		return
	}
	s.args = s.args[max(0, min(n, len(s.args))):]
}

// source reads another script into this shell.
func (s *shellRun) source(args []string, r result) (result, end) {
	if len(args) == 0 || !strings.Contains(args[0], "/") {
		s.lost("a script that reads another one")
		return r.and(doubt("a script reads another one that is not followed")), mayEnd
	}
	if s.st.noCwd == "" || strings.HasPrefix(args[0], "/") {
		f, err := s.view.Find(loader.Absolute(s.st.cwd, args[0]))
		if errors.Is(err, rootfs.ErrBelow) {
			s.below = true
			return r, goesOn
		}
		if err == nil && f.Text != nil && !s.inScript("."+args[0]) {
			file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(string(f.Text)), "")
			if err == nil {
				one, how := s.list(file.Stmts, false)
				return r.and(one), how
			}
		}
	}
	s.lost("a script that reads " + args[0])
	return r.and(doubt("a script reads %s, which is not followed", args[0])), mayEnd
}

// function follows a call of the script's own function.
func (s *shellRun) function(argv []string, body *syntax.Stmt, r result) (result, end) {
	const maxDepth = 8
	if s.depth >= maxDepth {
		return r, goesOn
	}
	args, noArgs := s.args, s.noArgs
	s.args, s.noArgs = argv[1:], ""
	s.depth++
	one, how := s.stmt(body, false)
	s.depth--
	s.args, s.noArgs = args, noArgs
	return r.and(one), how
}
