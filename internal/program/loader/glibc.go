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

type glibcProcess struct {
	*process
	main, rtld *loaded
	level      int
	cache      *cache
}

// glibc loads a program as glibc's loader does, on a processor of a level.
func glibc(v *rootfs.View, program, interp rootfs.Found, env Env, level int) (*process, error) {
	p := &process{v: v, env: env}
	g := &glibcProcess{process: p, level: level}
	e := program.File.ELF
	p.bindNow = env.BindNow
	g.main = p.add(program, "/"+program.Path, "", nil)
	g.rtld = &loaded{Found: interp, d: interp.File.ELF.Dynamic, opened: e.Interp, names: []string{e.Interp, interp.File.ELF.Dynamic.Soname}}
	if g.rtld.d.Doubt != "" {
		return p, doubt("%s %s", Name(v, interp), g.rtld.d.Doubt)
	}
	if len(g.rtld.d.SystemDirs) == 0 {
		return p, doubt("the default folders of the loader %s were not found in it", Name(v, interp))
	}
	if err := g.readCache(); err != nil {
		return p, err
	}
	p.loaded = append(p.loaded, g.rtld)
	if err := g.preload(); err != nil {
		return p, err
	}
	for n := 0; n < len(p.loaded); n++ { // breadth first
		l := p.loaded[n]
		if l.d.Doubt != "" {
			return p, doubt("%s %s", Name(v, l.Found), l.d.Doubt)
		}
		for _, name := range slices.Concat(l.d.Needed, l.d.Filters) {
			if _, err := g.load(name, l); err != nil {
				return p, err
			}
		}
		if len(p.loaded) > maxLoaded {
			return p, doubt("/%s needs too many libraries to be followed", program.Path)
		}
	}
	if err := g.versions(); err != nil {
		return p, err
	}
	if err := p.symbols(true); err != nil {
		return p, err
	}
	if packed := p.packed(); packed != nil && (g.rtld.d.Release == "" || older(g.rtld.d.Release, "2.36")) {
		return p, doubt("/%s has packed relocations, which glibc before 2.36 does not know", packed.Path)
	}
	return p, g.release()
}

// preload loads what LD_PRELOAD and /etc/ld.so.preload name. What is missing is
// only warned about.
func (g *glibcProcess) preload() error {
	names := strings.FieldsFunc(g.env.Preload, func(r rune) bool { return r == ' ' || r == ':' })
	f, err := g.v.Find("/etc/ld.so.preload")
	switch {
	case errors.Is(err, rootfs.ErrBelow):
		return err
	case err == nil && f.Text != nil:
		names = append(names, strings.FieldsFunc(string(f.Text), func(r rune) bool { return strings.ContainsRune(" \t\n:", r) })...)
	case err == nil && !f.File.Empty:
		return doubt("/etc/ld.so.preload was not read")
	}
	for _, name := range names {
		if _, err := g.load(name, g.main); err != nil {
			var wrong *Wrong
			if !errors.As(err, &wrong) {
				return err
			}
		}
	}
	return nil
}

// load maps a library by the name that a file needs it by (_dl_map_object).
func (g *glibcProcess) load(name string, by *loaded) (*loaded, error) {
	for _, l := range g.loaded {
		if slices.Contains(l.names, name) || l.opened == name || l.d.Soname == name && name != "" {
			return l, nil
		}
	}
	if strings.Contains(name, "/") {
		full, err := g.expand(name, by)
		if err != nil {
			return nil, err
		}
		f, ok, err := g.open(full, by, name)
		if err != nil {
			return nil, err
		}
		if ok {
			return g.add(f, full, name, by), nil
		}
		return nil, g.missing(name, by, full)
	}
	searches, err := g.searches(by)
	if err != nil {
		return nil, err
	}
	var other *rootfs.Found // of the name, for another machine
	for _, s := range searches {
		for _, dir := range s(name) {
			if dir.level > g.level {
				there, err := g.exists(dir.file)
				if err != nil {
					return nil, err
				}
				g.levels = g.levels || there
				continue
			}
			f, ok, err := g.open(dir.file, by, name)
			if err != nil {
				return nil, err
			}
			if ok {
				return g.add(f, dir.file, name, by), nil
			}
			if f.Entry != nil && other == nil {
				other = &f
			}
		}
	}
	if other != nil {
		return nil, &Wrong{File: by.Found, Need: name, Cause: fmt.Sprintf("%s is %s", Name(g.v, *other), other.File.Machine)}
	}
	return nil, g.missing(name, by, "")
}

func (g *glibcProcess) exists(p string) (bool, error) {
	_, err := g.v.Find(Absolute(g.env.WorkingDir, p))
	if errors.Is(err, rootfs.ErrBelow) {
		return false, err
	}
	return err == nil, nil
}

func (g *glibcProcess) missing(name string, by *loaded, at string) error {
	cause := "it is not in the image"
	switch {
	case at != "" && at != name:
		cause = at + " is not in the image"
	case at != "":
	case g.v.Complete():
		if all := g.v.Libraries(name); len(all) > 0 {
			cause = fmt.Sprintf("%s is not where the loader looks", Name(g.v, all[0]))
			if f := all[0].File; f.Kind == object.Binary && f.Machine.Arch != g.main.File.Machine.Arch {
				cause = fmt.Sprintf("%s is %s", Name(g.v, all[0]), f.Machine)
			}
		}
	}
	return &Wrong{File: by.Found, Need: name, Cause: cause}
}

// open opens a library as open_verify does: not ok means that the search goes
// on. The file is returned where it is one of another machine.
func (g *glibcProcess) open(p string, by *loaded, name string) (f rootfs.Found, ok bool, err error) {
	f, err = g.v.Find(Absolute(g.env.WorkingDir, p))
	var unclear *rootfs.Unclear
	switch {
	case errors.Is(err, rootfs.ErrBelow):
		return f, false, err
	case errors.As(err, &unclear):
		return f, false, doubt("%s", unclear.Why)
	case err != nil:
		return rootfs.Found{}, false, nil
	}
	fatal := func(format string, args ...any) (rootfs.Found, bool, error) {
		return f, false, &Wrong{File: by.Found, Need: name, Cause: Name(g.v, f) + " " + fmt.Sprintf(format, args...)}
	}
	if err := g.readable(f); err != nil {
		return f, false, err
	}
	e, want := f.File.ELF, g.main.File.ELF
	switch {
	case f.Kind != rootfs.Regular:
		return fatal("is not a regular file")
	case f.File.Empty:
		return fatal("is empty")
	case e == nil:
		return fatal("is no ELF file")
	case e.Class != want.Class, e.Data != want.Data:
		return f, false, nil
	case e.ABI != 0 && e.ABI != 3:
		return f, false, doubt("%s is marked for another system", Name(g.v, f))
	case !sameMachine(e, want):
		return f, false, nil
	case e.Refused != "":
		return fatal("%s", e.Refused)
	case e.Doubt != "":
		return f, false, doubt("%s %s", Name(g.v, f), e.Doubt)
	case f.File.Machine.Note != g.main.File.Machine.Note:
		return f, false, doubt("%s is %s, and the program is %s", Name(g.v, f), f.File.Machine, g.main.File.Machine)
	case e.Dynamic == nil:
		return fatal("has no dynamic section")
	case e.Type == executable:
		return fatal("is a program, no library")
	case e.Dynamic.PIE:
		return f, false, doubt("%s is a program, no library", Name(g.v, f))
	}
	return f, true, nil
}

const executable = 2 // ET_EXEC

// sameMachine is elf_machine_matches_host: some processors have several
// calling conventions under one number.
func sameMachine(a, b *object.ELF) bool {
	m, n := a.Machine, b.Machine
	const i486, i386, ppc64, riscv, arm = 6, 3, 21, 243, 40
	if m == i486 {
		m = i386
	}
	if n == i486 {
		n = i386
	}
	switch {
	case m != n:
		return false
	case m == ppc64:
		return a.Flags&3 == b.Flags&3 || a.Flags&3 == 0 || b.Flags&3 == 0
	case m == arm:
		const soft, hard = 0x200, 0x400 // EF_ARM_ABI_FLOAT_…
		x, y := a.Flags&(soft|hard), b.Flags&(soft|hard)
		return x == y || x == 0 || y == 0
	case m == riscv:
		const abi = 0xe // EF_RISCV_FLOAT_ABI, EF_RISCV_RVE
		return a.Flags&abi == b.Flags&abi
	}
	return true
}

// release refuses to prove anything of a libc and a loader of two releases of
// glibc: they share private structures.
func (g *glibcProcess) release() error {
	of := func(f rootfs.Found, d *object.Dynamic) string {
		if d.Release != "" {
			return d.Release
		}
		base := path.Base(f.Path) // libc-2.31.so, ld-2.31.so
		if _, after, ok := strings.Cut(base, "-2."); ok {
			return "2." + strings.TrimSuffix(after, ".so")
		}
		return ""
	}
	for _, l := range g.loaded {
		if l.d.Soname != "libc.so.6" {
			continue
		}
		a, b := of(l.Found, l.d), of(g.rtld.Found, g.rtld.d)
		if a != b || a == "" {
			return doubt("%s is of glibc %s, and the loader %s of %s", Name(g.v, l.Found), known(a), Name(g.v, g.rtld.Found), known(b))
		}
	}
	return nil
}

func known(s string) string {
	if s == "" {
		return "an unknown release"
	}
	return s
}
