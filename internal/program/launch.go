package program

import (
	"path"
	"strings"
)

// A launcher is a program that starts the one its arguments name.
type launcher struct {
	value   string   // letters of options that take a value
	flags   []string // further options that take a value in a word of its own
	skip    int      // words before the command
	assigns bool     // NAME=VALUE words come before the command
	numeric bool     // -10 is an option
}

// launchers are those found in images, by their manuals.
var launchers = map[string]launcher{
	"tini": {value: "pe"}, "tini-static": {value: "pe"}, "docker-init": {value: "pe"}, "catatonit": {},
	"dumb-init": {value: "r", flags: []string{"--rewrite"}},
	"env":       {value: "uCS", flags: []string{"--unset", "--chdir", "--split-string"}, assigns: true},
	"nice":      {value: "n", flags: []string{"--adjustment"}, numeric: true},
	"ionice":    {value: "cn", flags: []string{"--class", "--classdata"}},
	"chrt":      {value: "TPD", skip: 1},
	"taskset":   {skip: 1}, "nohup": {}, "setsid": {}, "unbuffer": {}, "time": {value: "fo"},
	"stdbuf":  {value: "ioe", flags: []string{"--input", "--output", "--error"}},
	"timeout": {value: "ks", flags: []string{"--kill-after", "--signal"}, skip: 1},
	"gosu":    {skip: 1}, "su-exec": {skip: 1}, "s6-setuidgid": {skip: 1}, "setuidgid": {skip: 1},
	"chpst":   {value: "uUbeden/CPmofctrlpsda"},
	"setpriv": {flags: []string{"--reuid", "--regid", "--groups", "--inh-caps", "--ambient-caps", "--bounding-set", "--securebits", "--pdeathsig", "--selinux-label", "--apparmor-profile"}},
	"sudo":    {value: "ugCDRTh", flags: []string{"--user", "--group", "--chdir"}, assigns: true},
	"runuser": {value: "ugGw"}, "dbus-run-session": {flags: []string{"--config-file", "--dbus-daemon"}},
	"numactl": {value: "iNmCp", flags: []string{"--interleave", "--cpunodebind", "--membind", "--physcpubind", "--preferred"}},
	"setarch": {skip: 1}, "linux32": {}, "linux64": {}, "xvfb-run": {value: "enfsp"}, "catchsegv": {}, "pid1": {},
	"my_init": {}, "exec": {},
}

// launched follows what a program's arguments tell it to run. A program that is
// not a launcher runs nothing that is known here.
func (w *walk) launched(argv []string, st state, via []string) result {
	name := path.Base(argv[0])
	if name == "busybox" && len(argv) > 1 {
		argv = argv[1:]
		name = argv[0]
	}
	if shellName(argv[0]) != "" {
		return w.shell(argv, st, via)
	}
	l, ok := launchers[name]
	switch {
	case !ok:
		return unfollowed(name, argv)
	case name == "env":
		return w.env(argv[1:], st, via)
	case name == "runuser" && !hasWord(argv, "-u"), name == "chpst" && hasWord(argv, "-/"):
		return doubt("what %s starts is not followed", name)
	}
	next, ok := l.command(argv[1:])
	switch {
	case !ok:
		return doubt("the options of %s are not known here", name)
	case len(next) == 0:
		return result{}
	}
	return w.exec(next, st, byExecvp, via)
}

func hasWord(argv []string, word string) bool {
	for _, a := range argv {
		if a == word {
			return true
		}
	}
	return false
}

// unfollowed are programs that start others in ways that are not followed.
func unfollowed(name string, argv []string) result {
	switch name {
	case "chroot", "unshare", "nsenter", "su", "pwsh", "s6-svscan", "runsvdir", "supervisord", "s6-overlay-suexec", "start-stop-daemon", "xargs", "script", "strace", "systemd", "zsh", "fish", "csh", "tcsh":
		if len(argv) > 1 || name == "s6-overlay-suexec" {
			return doubt("what %s starts is not followed", name)
		}
	}
	return result{}
}

// command drops a launcher's options and returns the command.
func (l launcher) command(args []string) (rest []string, ok bool) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "-" {
		a := args[0]
		args = args[1:]
		if a == "--" {
			break
		}
		n := 0
		switch {
		case strings.HasPrefix(a, "--"):
			if !strings.Contains(a, "=") && contains(l.flags, a) {
				n = 1
			}
		case l.numeric && len(a) > 1 && a[1] >= '0' && a[1] <= '9':
		default:
			n = l.value1(a)
		}
		if n > len(args) {
			return nil, false
		}
		args = args[n:]
	}
	for l.assigns && len(args) > 0 && strings.Contains(args[0], "=") {
		args = args[1:]
	}
	if len(args) < l.skip {
		return nil, true
	}
	return args[l.skip:], true
}

// value1 returns how many further words an option of letters takes.
func (l launcher) value1(a string) int {
	for n, c := range a[1:] {
		if strings.ContainsRune(l.value, c) {
			if n == len(a)-2 {
				return 1
			}
			return 0
		}
	}
	return 0
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// env follows env(1), which changes what the command finds.
func (w *walk) env(args []string, st state, via []string) result {
	st = st.clone()
	for steps := 0; len(args) > 0 && strings.HasPrefix(args[0], "-"); steps++ {
		a := args[0]
		args = args[1:]
		value := func(short, long string) (string, bool) {
			if v, ok := strings.CutPrefix(a, long+"="); ok {
				return v, true
			}
			if v, ok := strings.CutPrefix(a, short); ok && !strings.HasPrefix(a, "--") && v != "" {
				return v, true
			}
			if (a == short || a == long) && len(args) > 0 {
				v := args[0]
				args = args[1:]
				return v, true
			}
			return "", false
		}
		if steps > maxSteps {
			return doubt("the options of env are too many")
		}
		if a == "--" {
			break
		}
		if v, ok := value("-u", "--unset"); ok {
			delete(st.env, v)
			continue
		}
		if v, ok := value("-C", "--chdir"); ok {
			st.cwd = absolute(st.cwd, v)
			continue
		}
		s, ok := value("-S", "--split-string")
		if v, vs := strings.CutPrefix(a, "-vS"); !ok && vs {
			if s, ok = v, true; v == "" && len(args) > 0 {
				s, args = args[0], args[1:]
			}
		}
		switch {
		case ok && strings.ContainsAny(s, "'\"\\$#"):
			return doubt("what env -S %q starts is not followed", s)
		case ok:
			args = append(strings.Fields(s), args...)
		case a == "-" || a == "-i" || a == "--ignore-environment":
			st.env = map[string]string{}
		case a == "-v" || a == "--debug" || strings.HasPrefix(a, "--block-signal") || strings.HasPrefix(a, "--default-signal") || strings.HasPrefix(a, "--ignore-signal"):
		default:
			// In a #! line "env node --x" is one word, which env takes for a name.
			return wrong("env has no option %q", a).maybe()
		}
	}
	for len(args) > 0 {
		name, value, ok := strings.Cut(args[0], "=")
		if !ok {
			break
		}
		st.env[name] = value
		delete(st.unknown, name)
		args = args[1:]
	}
	if len(args) == 0 {
		return result{}
	}
	return w.exec(args, st, byExecvp, via)
}

func absolute(dir, p string) string {
	if strings.HasPrefix(p, "/") {
		return p
	}
	return "/" + strings.TrimPrefix(dir+"/"+p, "/")
}
