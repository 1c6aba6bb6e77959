package program

import (
	"path"
	"strings"
)

// A Start is what an image's config says about its start.
type Start struct {
	Entrypoint []string
	Cmd        []string
	Env        []string
	WorkingDir string
	Windows    bool // names have backslashes and no case
}

// A Found is a program that is run when the image starts.
type Found struct {
	Path  string // without a leading slash
	Layer int    // from 0, the top one
	File  File
	Via   []string // what leads there, "/docker-entrypoint.sh"; empty for what the config names
}

// Started is what was found out about an image's start.
type Started struct {
	Programs []Found
	Notes    []string // why something was not found; each a clause
}

// Start finds the programs that are run when the image starts: the entrypoint,
// a script's interpreter, and what a launcher (tini, sh -c, env) is told to
// run. settled is false while lower layers may still show something else.
func (t *Tree) Start(s Start) (found Started, settled bool) {
	argv := append(append([]string{}, s.Entrypoint...), s.Cmd...)
	if len(argv) == 0 || argv[0] == "" {
		return Started{Notes: []string{"the image names no program to start"}}, true
	}
	w := walk{tree: t, start: s, settled: true}
	w.run(argv, nil)
	return w.found, w.settled
}

type walk struct {
	tree    *Tree
	start   Start
	found   Started
	settled bool
}

const maxSteps = 5 // a script's interpreter may be a script, and so on

// run resolves argv[0], and what it is told to run in its turn.
func (w *walk) run(argv, via []string) {
	if len(via) == maxSteps {
		return
	}
	f, ok := w.resolve(argv[0])
	if !ok {
		return
	}
	f.Via = via
	via = append(append([]string{}, via...), "/"+f.Path)
	switch f.File.Kind {
	case Binary:
		w.found.Programs = append(w.found.Programs, f)
		if next := launched(argv); next != nil {
			w.run(next, via)
		}
	case Script:
		w.run(append(append([]string{}, f.File.Words...), argv...), via)
	default:
		w.note("/" + f.Path + " is neither a program nor a script")
	}
}

func (w *walk) note(s string) { w.found.Notes = append(w.found.Notes, s) }

// resolve finds a program by name as the kernel or a shell would.
func (w *walk) resolve(name string) (Found, bool) {
	candidates, inPath := w.start.candidates(name)
	// Another folder of PATH may still turn up in the layer being read. A lower
	// layer is not waited for: it would mean reading all of the image.
	if inPath && !w.tree.between() {
		w.settled = false
		return Found{}, false
	}
	for _, c := range candidates {
		if at, f, depth, ok := w.tree.find(c); ok {
			return Found{Path: at, Layer: depth, File: f}, true
		}
	}
	if w.settled = w.settled && w.tree.complete(); w.settled {
		w.note(name + " is not in the image")
	}
	return Found{}, false
}

// candidates gives the paths that a name may mean, the first one first.
func (s Start) candidates(name string) (paths []string, inPath bool) {
	if s.Windows {
		return s.windowsCandidates(name)
	}
	if strings.Contains(name, "/") {
		return []string{absolute(s.WorkingDir, name)}, false
	}
	for _, dir := range s.folders() {
		paths = append(paths, path.Join(absolute(s.WorkingDir, dir), name))
	}
	return paths, true
}

func absolute(dir, p string) string {
	if strings.HasPrefix(p, "/") {
		return p
	}
	return path.Join("/", dir, p)
}

// folders gives PATH.
func (s Start) folders() []string {
	dirs, separator := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ":"
	if s.Windows {
		dirs, separator = `C:\Windows\System32;C:\Windows`, ";"
	}
	for _, e := range s.Env {
		name, value, _ := strings.Cut(e, "=")
		if name == "PATH" || s.Windows && strings.EqualFold(name, "PATH") {
			dirs = value
		}
	}
	return strings.Split(dirs, separator)
}

// windowsCandidates is candidates for the layers of Windows images, in which
// drive C: is the folder Files. Their tree is folded to lower case.
func (s Start) windowsCandidates(name string) (paths []string, inPath bool) {
	dirs := []string{s.WorkingDir}
	if inPath = !strings.ContainsAny(name, `\/:`); inPath {
		dirs = append(dirs, s.folders()...)
	}
	for _, dir := range dirs {
		p := windowsPath(dir) + "/" + windowsPath(name)
		if strings.ContainsRune(name, ':') || strings.HasPrefix(name, `\`) {
			p = windowsPath(name)
		}
		p = "files" + path.Join("/", p)
		paths = append(paths, p)
		if path.Ext(p) == "" {
			paths = append(paths, p+".exe")
		}
	}
	return paths, inPath
}

func windowsPath(p string) string {
	p = strings.ToLower(strings.ReplaceAll(p, `\`, "/"))
	if _, after, ok := strings.Cut(p, ":"); ok {
		p = after
	}
	return p
}

// launchers run the first word that is no option of theirs; the number is how
// many words come before it.
var launchers = map[string]int{"tini": 0, "tini-static": 0, "docker-init": 0, "dumb-init": 0, "catatonit": 0, "env": 0, "nice": 0, "nohup": 0, "setsid": 0, "gosu": 1, "su-exec": 1}

// launched gives the command that a launcher's arguments name, or nil.
func launched(argv []string) []string {
	name := path.Base(argv[0])
	args := argv[1:]
	if skip, ok := launchers[name]; ok {
		for len(args) > 0 && (strings.HasPrefix(args[0], "-") || name == "env" && strings.Contains(args[0], "=")) {
			if args[0] == "--" {
				args = args[1:]
				break
			}
			args = args[1:]
		}
		if len(args) > skip {
			return args[skip:]
		}
		return nil
	}
	switch name {
	case "sh", "bash", "ash", "dash", "busybox":
		for i, a := range args {
			if a == "-c" && i+1 < len(args) {
				return command(args[i+1])
			}
		}
	}
	return nil
}

// command gives the command that a line of shell starts with, if it is plain:
// a word that needs no shell to be understood.
func command(line string) []string {
	words := strings.Fields(line)
	for len(words) > 0 && (words[0] == "exec" || strings.Contains(words[0], "=")) {
		words = words[1:]
	}
	if len(words) == 0 || !strings.Contains(words[0], "/") || strings.ContainsAny(words[0], "$`\"'\\*?[](){}<>|&;~#!%") {
		return nil
	}
	return words
}
