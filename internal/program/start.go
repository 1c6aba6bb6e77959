package program

import (
	"path"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/program/loader"
	"github.com/polyarch/polyarch/internal/program/object"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// A Start is what an image's config says about its start.
type Start struct {
	Entrypoint []string
	Cmd        []string
	Env        []string
	WorkingDir string
	User       string
	Windows    bool // names have backslashes and no case
}

// A Verdict is what is known about a start.
type Verdict string

const (
	Starts      Verdict = "starts"       // proved
	Wrong       Verdict = "wrong"        // a need is not met
	NotVerified Verdict = "not verified" // neither
)

// A Report is the verdict on an image and what led to it.
type Report struct {
	Verdict  Verdict
	Reasons  []string // of Wrong and NotVerified; each a clause
	Notes    []string // what is worth knowing beside it
	Programs []Program
}

// A Program is one that is run when the image starts.
type Program struct {
	rootfs.Found
	Via   []string // what leads there, "/docker-entrypoint.sh"; empty for what the config names
	Loads []rootfs.Found
}

// Check reports whether what an image starts will start on a platform. It is
// not final while lower layers may still show something else.
func Check(v *rootfs.View, s Start, p platform.Platform) (r Report, final bool) {
	argv := append(append([]string{}, s.Entrypoint...), s.Cmd...)
	if len(argv) == 0 || argv[0] == "" {
		return Report{Verdict: NotVerified, Reasons: []string{"the image names no program to start"}}, true
	}
	w := &walk{view: v, platform: p, windows: s.Windows, root: isRoot(s.User)}
	st := state{cwd: s.WorkingDir, env: environment(s.Env)}
	var out result
	if s.Windows {
		out = w.runWindows(argv, st)
	} else {
		out = w.exec(argv, st, byRuntime, nil)
	}
	if w.below {
		return Report{}, false
	}
	r = Report{Programs: w.programs}
	switch {
	case len(out.wrong) > 0:
		r.Verdict, r.Reasons = Wrong, unique(out.wrong)
		r.Notes = unique(out.doubt)
	case len(out.doubt) > 0:
		r.Verdict, r.Reasons = NotVerified, unique(out.doubt)
	default:
		r.Verdict = Starts
	}
	return r, true
}

func isRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	return name == "" || name == "root" || name == "0"
}

// environment returns the variables of an image. PATH has a default: that of
// containerd and Docker.
func environment(list []string) map[string]string {
	env := map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, e := range list {
		if name, value, ok := strings.Cut(e, "="); ok {
			env[name] = value
		}
	}
	return env
}

// A walk follows what is started.
type walk struct {
	view     *rootfs.View
	platform platform.Platform
	windows  bool
	root     bool
	below    bool
	steps    int
	programs []Program
}

// state is a process's surroundings, as far as they are known.
type state struct {
	cwd      string
	env      map[string]string
	unknown  map[string]bool // variables whose value is not known
	noCwd    string          // why cwd is not known
	changed  string          // what may have changed files
	scripts  int             // how many scripts led from the last program to here
	inShells map[string]bool
}

func (s state) clone() state {
	env := map[string]string{}
	for k, v := range s.env {
		env[k] = v
	}
	s.env = env
	unknown := map[string]bool{}
	for k, v := range s.unknown {
		unknown[k] = v
	}
	s.unknown = unknown
	return s
}

// How a program is started: who looks for it, and what happens to a text.
type how uint8

const (
	byRuntime how = iota // runc: Go's LookPath, then execve
	byKernel             // as a script's interpreter
	byExecvp             // a launcher; a text is given to a shell
	byShell
)

const maxSteps = 64

// exec follows a process that starts argv.
func (w *walk) exec(argv []string, st state, how how, via []string) result {
	if w.steps++; w.steps > maxSteps {
		return doubt("it starts too many programs in a row to be followed")
	}
	if st.noCwd != "" && !strings.HasPrefix(argv[0], "/") && strings.Contains(argv[0], "/") {
		return doubt("%s is in a folder that is not known: %s", argv[0], st.noCwd)
	}
	f, r := w.resolve(argv[0], st, how)
	if f.Entry == nil {
		return w.changed(r, st)
	}
	r = r.and(w.file(f, argv, st, how, via))
	return w.changed(r, st)
}

// changed takes back what depends on files that may have changed by then.
func (w *walk) changed(r result, st state) result {
	if st.changed != "" && len(r.wrong) > 0 {
		return r.maybe().and(doubt("%s may have changed files", st.changed))
	}
	return r
}

func (w *walk) file(f rootfs.Found, argv []string, st state, how how, via []string) result {
	name := "/" + f.Path
	next := append(append([]string{}, via...), name)
	switch f.File.Kind {
	case object.Binary:
		loads, r := w.binary(f, st)
		w.programs = append(w.programs, Program{f, via, loads})
		st.scripts = 0
		return r.and(w.launched(argv, st, next))
	case object.Script:
		// The kernel follows five in a row; where an emulator runs programs, it
		// is one of them.
		if st.scripts++; st.scripts > 5 {
			return wrong("%s: its interpreter is a script, and so on: too many levels", strings.Join(next, ", "))
		}
		s := f.File.Shebang
		line := []string{s.Interpreter}
		if s.HasArgument {
			line = append(line, s.Argument)
		}
		script := argv[0]
		if !strings.Contains(script, "/") {
			script = name
		}
		line = append(append(line, script), argv[1:]...)
		if r, bad := w.carriage(name, s, st); bad {
			return r
		}
		r := w.exec(line, st, byKernel, next)
		if st.scripts == 5 {
			r = r.and(doubt("%s: more scripts in a row than an emulator leaves room for", strings.Join(next, ", ")))
		}
		return r
	}
	if how == byRuntime || how == byKernel {
		return wrong("%s is neither a program nor a script with a #! line: exec format error", name)
	}
	return doubt("%s is neither a program nor a script with a #! line, and is given to a shell", name)
}

// carriage finds #! lines that end as editors on Windows end them: the carriage
// return belongs to the last word.
func (w *walk) carriage(name string, s object.Shebang, st state) (result, bool) {
	const why = "%s has a #! line that ends with a carriage return, as editors on Windows write it: "
	switch {
	case strings.HasSuffix(s.Interpreter, "\r"):
		if f, _ := w.direct(s.Interpreter, st); f.Entry != nil || w.below {
			return result{}, false
		}
		return wrong(why+"the kernel looks for %q", name, s.Interpreter), true
	case strings.HasSuffix(s.Argument, "\r"):
		if path.Base(s.Interpreter) == "env" && !strings.HasPrefix(s.Argument, "-") {
			return wrong(why+"env looks for %q", name, s.Argument), true
		}
		return doubt(why+"%s is given %q", name, s.Interpreter, s.Argument), true
	}
	return result{}, false
}

// binary checks a program and what its loader needs.
func (w *walk) binary(f rootfs.Found, st state) ([]rootfs.Found, result) {
	m := f.File.Machine
	if !m.Fits(w.platform) {
		return nil, wrong("/%s is %s, and the image says that it is for %s; it is in layer %d of %d", f.Path, m, w.platform, w.view.Total()-f.Layer, w.view.Total())
	}
	e := f.File.ELF
	switch {
	case e == nil:
		return nil, doubt("/%s is %s, and what such a program loads is not followed", f.Path, m)
	case e.Refused != "":
		return nil, wrong("/%s %s: exec format error", f.Path, e.Refused)
	case e.Doubt != "":
		return nil, doubt("/%s %s", f.Path, e.Doubt)
	case w.platform.OS != "linux":
		return nil, doubt("/%s is for %s, whose loader is not followed", f.Path, w.platform.OS)
	}
	r := w.level(f)
	if !e.HasInterp {
		if e.Type == 3 && e.Dynamic != nil && !e.Dynamic.PIE && e.Dynamic.Soname != "" && !e.Dynamic.IsMuslLoader() && !e.Dynamic.IsGlibcLoader() {
			return nil, r.and(doubt("/%s is a library", f.Path))
		}
		return nil, r
	}
	for _, name := range []string{"LD_LIBRARY_PATH", "LD_PRELOAD"} {
		if st.unknown[name] {
			return nil, r.and(doubt("/%s is started with a value of %s that is not known", f.Path, name))
		}
	}
	if st.noCwd != "" {
		st.cwd = "/"
	}
	env := loader.Env{LibraryPath: st.env["LD_LIBRARY_PATH"], Preload: st.env["LD_PRELOAD"], BindNow: st.env["LD_BIND_NOW"] != "", WorkingDir: st.cwd, Root: w.root}
	loads, err := loader.Check(w.view, f, env)
	for _, l := range loads {
		one := w.level(l)
		if d := l.File.ELF.Dynamic; l.Path != f.Path && d != nil && d.Soname != "libc.so.6" && !d.IsGlibcLoader() && !d.IsMuslLoader() {
			one = one.maybe() // libraries choose code for newer processors when they run
		}
		r = r.and(one)
	}
	return loads, r.and(w.say(err))
}

// level compares what a file demands of the processor with the platform's
// variant. It reports only what cannot run: arm/v6 runs no code for v7.
func (w *walk) level(f rootfs.Found) result {
	if w.platform.Arch != "arm" || f.File.Levels.ARM == 0 {
		return result{}
	}
	have := map[string]int{"v5": 5, "v6": 6, "": 7, "v7": 7, "v8": 8}[w.platform.Variant]
	if f.File.Levels.ARM > have {
		return wrong("/%s is for ARMv%d by its %s, and the image says that it is for %s", f.Path, f.File.Levels.ARM, f.File.Levels.From, w.platform)
	}
	return result{}
}

// say turns an error into what is known.
func (w *walk) say(err error) result {
	switch err := err.(type) {
	case nil:
		return result{}
	case *loader.Wrong:
		return wrong("%s", err)
	case *loader.Doubt:
		return doubt("%s", err)
	}
	w.below = true
	return doubt("%s", err)
}

// shellName returns the name by which a shell is called, or nothing.
func shellName(argv0 string) string {
	switch base := path.Base(strings.TrimPrefix(argv0, "-")); base {
	case "sh", "bash", "ash", "dash", "ksh", "mksh", "rbash":
		return base
	}
	return ""
}
