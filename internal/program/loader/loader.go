// Package loader follows what a dynamic loader does when a program starts: how
// glibc (elf/dl-load.c, dl-deps.c, dl-version.c, dl-lookup.c; ld.so(8)) and
// musl (ldso/dynlink.c) find libraries, and what they refuse.
package loader

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/program/object"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// Env is the part of a process's environment that a loader uses.
type Env struct {
	LibraryPath, Preload string // LD_LIBRARY_PATH, LD_PRELOAD
	BindNow              bool   // LD_BIND_NOW
	WorkingDir           string
	Root                 bool // the user is root: permissions do not matter
}

// Wrong is why a program does not start.
type Wrong struct {
	File  rootfs.Found // whose need is not met
	Need  string
	Cause string // what stands in the way; may be empty
}

func (w *Wrong) Error() string {
	s := fmt.Sprintf("/%s needs %s", w.File.Path, w.Need)
	if w.Cause != "" {
		s += "; " + w.Cause
	}
	return s
}

// Doubt is why nothing is proved.
type Doubt struct{ Why string }

func (d *Doubt) Error() string { return d.Why }

func doubt(format string, args ...any) error { return &Doubt{fmt.Sprintf(format, args...)} }

// Check proves that the loader of a dynamically linked program loads it, or
// says why not. It returns what is loaded, and nil, a *Wrong, a *Doubt, or
// rootfs.ErrBelow while lower layers may show something else.
func Check(v *rootfs.View, program rootfs.Found, env Env) ([]rootfs.Found, error) {
	e := program.File.ELF
	interp, err := interpreter(v, program, env)
	if err != nil {
		return nil, err
	}
	if e.Dynamic == nil {
		return nil, doubt("/%s has a loader and no dynamic section", program.Path)
	}
	d := interp.File.ELF.Dynamic
	var run func(env Env, level int) (*process, error)
	switch {
	case d != nil && d.IsGlibcLoader():
		run = func(env Env, level int) (*process, error) { return glibc(v, program, interp, env, level) }
	case d != nil && d.IsMuslLoader():
		run = func(env Env, _ int) (*process, error) { return musl(v, program, interp, env) }
	default:
		return nil, doubt("the loader of /%s, /%s, is neither glibc's nor musl's", program.Path, interp.Path)
	}
	p, err := run(env, 0)
	if errors.Is(err, rootfs.ErrBelow) {
		return nil, err
	}
	// What another processor or another user's process would do must agree.
	for level := 1; p.levels && level <= maxLevel; level++ {
		if _, other := run(env, level); !same(err, other) {
			return p.files(), doubt("/%s loads other libraries on newer processors, from glibc-hwcaps: %v", program.Path, cmp(other, err))
		}
	}
	if program.Privileged() && (env.LibraryPath != "" || env.Preload != "") {
		if _, other := run(Env{WorkingDir: env.WorkingDir, Root: env.Root}, 0); !same(err, other) {
			return p.files(), doubt("/%s has rights of its own, with which LD_LIBRARY_PATH and LD_PRELOAD may not count", program.Path)
		}
	}
	if err == nil && program.Privileged() && p.origin {
		err = doubt("/%s has rights of its own, with which $ORIGIN may not count", program.Path)
	}
	return p.files(), err
}

func cmp(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// same reports whether two runs end alike.
func same(a, b error) bool {
	var x, y *Wrong
	return a == nil && b == nil || errors.As(a, &x) && errors.As(b, &y)
}

// interpreter finds a program's loader, as the kernel does.
func interpreter(v *rootfs.View, program rootfs.Found, env Env) (rootfs.Found, error) {
	e := program.File.ELF
	f, err := v.Find(Absolute(env.WorkingDir, e.Interp))
	need := "its loader " + e.Interp
	wrong := func(format string, args ...any) error {
		return &Wrong{File: program, Need: need, Cause: fmt.Sprintf(format, args...)}
	}
	switch {
	case errors.Is(err, rootfs.ErrMissing):
		return f, wrong("it is not in the image%s", beside(v, e))
	case err != nil:
		return f, lookup(err, program, need)
	case f.Kind != rootfs.Regular:
		return f, wrong("it is not a regular file")
	case f.File.Kind != object.Binary || f.File.ELF == nil:
		return f, wrong("%s is no ELF file", Name(v, f))
	case f.File.Machine.Arch != program.File.Machine.Arch || f.File.ELF.Class != e.Class:
		return f, wrong("%s is %s", Name(v, f), f.File.Machine)
	case f.File.ELF.Refused != "":
		return f, wrong("%s %s", Name(v, f), f.File.ELF.Refused)
	case f.File.ELF.Doubt != "":
		return f, doubt("%s %s", Name(v, f), f.File.ELF.Doubt)
	case !f.Executable():
		return f, wrong("%s is not executable", Name(v, f))
	case !env.Root && f.Mode&1 == 0:
		return f, doubt("%s can be executed by some users alone", Name(v, f))
	}
	return f, nil
}

// beside names the other loader of the image: glibc's program on Alpine, or
// musl's on Debian.
func beside(v *rootfs.View, e *object.ELF) string {
	if !v.Complete() {
		return ""
	}
	found := ""
	v.Each(func(f rootfs.Found) {
		if f.File.ELF == nil || f.File.ELF.Dynamic == nil || f.File.ELF.Machine != e.Machine || found != "" {
			return
		}
		switch d := f.File.ELF.Dynamic; {
		case d.IsMuslLoader() && !strings.Contains(path.Base(e.Interp), "musl"):
			found = ", whose C library is musl: the program was linked for glibc"
		case d.IsGlibcLoader() && strings.Contains(path.Base(e.Interp), "musl"):
			found = ", whose C library is glibc: the program was linked for musl"
		}
	})
	return found
}

// lookup turns what a view says about a path into what it means for a program.
func lookup(err error, f rootfs.Found, need string) error {
	var unclear *rootfs.Unclear
	switch {
	case errors.Is(err, rootfs.ErrBelow):
		return err
	case errors.As(err, &unclear):
		return doubt("%s", unclear.Why)
	}
	return &Wrong{File: f, Need: need, Cause: err.Error()}
}

// Name returns a file and its layer, for messages.
func Name(v *rootfs.View, f rootfs.Found) string {
	return fmt.Sprintf("/%s of layer %d", f.Path, v.Total()-f.Layer)
}

// Absolute makes a path absolute, as seen by a process in a folder.
func Absolute(dir, p string) string {
	if strings.HasPrefix(p, "/") {
		return p
	}
	return "/" + dir + "/" + p // not path.Join: links come before ".."
}

// A process is what a loader has mapped so far.
type process struct {
	v       *rootfs.View
	env     Env
	loaded  []*loaded
	levels  bool // a processor's level would make a difference
	origin  bool // $ORIGIN made a difference
	bindNow bool
}

type loaded struct {
	rootfs.Found
	d      *object.Dynamic
	opened string // the path by which it was opened
	names  []string
	by     *loaded
}

func (p *process) files() (all []rootfs.Found) {
	if p == nil {
		return nil
	}
	for _, l := range p.loaded {
		all = append(all, l.Found)
	}
	return all
}

// add maps a file, unless it is mapped already.
func (p *process) add(f rootfs.Found, opened, name string, by *loaded) *loaded {
	for _, l := range p.loaded {
		if l.Path == f.Path {
			if !slices.Contains(l.names, name) {
				l.names = append(l.names, name)
			}
			return l
		}
	}
	l := &loaded{Found: f, d: f.File.ELF.Dynamic, opened: opened, names: []string{name}, by: by}
	p.loaded = append(p.loaded, l)
	return l
}

// packed returns a file that needs a loader which knows DT_RELR.
func (p *process) packed() *loaded {
	for _, l := range p.loaded {
		if l.d.Packed {
			return l
		}
	}
	return nil
}

// readable says why a library may not be opened by everybody.
func (p *process) readable(f rootfs.Found) error {
	if !p.env.Root && f.Mode&4 == 0 {
		return doubt("%s can be read by some users alone", Name(p.v, f))
	}
	return nil
}

// maxLoaded bounds how many libraries a program may have.
const maxLoaded = 2048
