package loader

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/program/rootfs"
)

type muslProcess struct {
	*process
	main, self *loaded
	interp     string // the loader's path, as the program has it
}

// muslNames are the libraries that are musl's libc (load_library).
var muslNames = []string{"c", "pthread", "rt", "m", "dl", "util", "xnet"}

// musl loads a program as musl's loader does.
func musl(v *rootfs.View, program, interp rootfs.Found, env Env) (*process, error) {
	p := &process{v: v, env: env, bindNow: true}
	m := &muslProcess{process: p, interp: program.File.ELF.Interp}
	m.main = p.add(program, "/"+program.Path, "", nil)
	m.self = p.add(interp, m.interp, m.interp, nil)
	for _, name := range strings.FieldsFunc(env.Preload, func(r rune) bool { return r == ' ' || r == ':' || r == '\t' || r == '\n' }) {
		if err := m.load(name, m.main); err != nil && !isWrong(err) {
			return p, err
		}
	}
	glibc := ""
	for n := 0; n < len(p.loaded); n++ {
		l := p.loaded[n]
		if l.d.Doubt != "" {
			return p, doubt("%s %s", Name(v, l.Found), l.d.Doubt)
		}
		for _, need := range l.d.Needs {
			if strings.HasPrefix(need.Version, "GLIBC_") {
				glibc = l.Path
			}
		}
		for _, name := range l.d.Needed {
			if err := m.load(name, l); err != nil {
				return p, err
			}
		}
		if len(p.loaded) > maxLoaded {
			return p, doubt("/%s needs too many libraries to be followed", program.Path)
		}
	}
	err := p.symbols(false)
	if packed := p.packed(); err == nil && packed != nil && (m.self.d.Release == "" || older(m.self.d.Release, "1.2.4")) {
		err = doubt("/%s has packed relocations, which musl before 1.2.4 does not know; %s is %s", packed.Path, Name(v, interp), known(m.self.d.Release))
	}
	if err == nil && glibc != "" {
		err = doubt("/%s was linked for glibc, and the loader is musl's", glibc)
	}
	return p, err
}

// load maps a library (load_library of ldso/dynlink.c).
func (m *muslProcess) load(name string, by *loaded) error {
	if name == m.interp {
		return nil
	}
	for _, own := range muslNames {
		if strings.HasPrefix(name, "lib"+own+".") {
			return nil
		}
	}
	if strings.Contains(name, "/") {
		return m.open(name, name, by)
	}
	for _, l := range m.loaded {
		if slices.Contains(l.names, name) {
			return nil
		}
	}
	paths := []string{}
	if m.env.LibraryPath != "" {
		paths = append(paths, m.env.LibraryPath)
	}
	for l := by; l != nil; l = l.by {
		list := l.d.RunPath
		if !l.d.HasRunPath {
			list = l.d.RPath
		}
		if strings.Contains(list, "$") {
			m.origin = true
			list = strings.ReplaceAll(strings.ReplaceAll(list, "${ORIGIN}", path.Dir(l.opened)), "$ORIGIN", path.Dir(l.opened))
			if strings.Contains(list, "$") {
				continue // musl knows no other variable, and leaves the list out
			}
		}
		paths = append(paths, list)
	}
	system, err := m.system()
	if err != nil {
		return err
	}
	for _, list := range append(paths, system) {
		for _, dir := range split(list, ":\n") {
			if dir == "" {
				continue
			}
			file := dir + "/" + name
			if _, err := m.v.Find(Absolute(m.env.WorkingDir, file)); err == nil || errors.Is(err, rootfs.ErrBelow) || isUnclear(err) {
				return m.open(file, name, by)
			}
		}
	}
	return &Wrong{File: by.Found, Need: name, Cause: m.elsewhere(name)}
}

func (m *muslProcess) elsewhere(name string) string {
	if m.v.Complete() {
		if all := m.v.Libraries(name); len(all) > 0 {
			return Name(m.v, all[0]) + " is not where the loader looks"
		}
	}
	return "it is not in the image"
}

func isUnclear(err error) bool {
	var u *rootfs.Unclear
	return errors.As(err, &u)
}

// open maps the file at a path: the first one of the name, whatever it is.
func (m *muslProcess) open(p, name string, by *loaded) error {
	f, err := m.v.Find(Absolute(m.env.WorkingDir, p))
	if err != nil {
		return lookup(err, by.Found, name)
	}
	wrong := func(format string, args ...any) error {
		return &Wrong{File: by.Found, Need: name, Cause: Name(m.v, f) + " " + fmt.Sprintf(format, args...)}
	}
	if err := m.readable(f); err != nil {
		return err
	}
	e := f.File.ELF
	switch {
	case f.Kind != rootfs.Regular:
		return wrong("is not a regular file")
	case f.File.Empty:
		return wrong("is empty")
	case e == nil:
		return wrong("is no ELF file")
	case f.File.Machine != m.main.File.Machine:
		return wrong("is %s", f.File.Machine)
	case e.Refused != "":
		return wrong("%s", e.Refused)
	case e.Doubt != "":
		return doubt("%s %s", Name(m.v, f), e.Doubt)
	case e.Dynamic == nil:
		return doubt("%s has no dynamic section", Name(m.v, f))
	case e.Dynamic.IsMuslLoader() && f.Path != m.self.Path:
		return doubt("%s is a second libc", Name(m.v, f))
	}
	m.add(f, p, name, by)
	return nil
}

var muslArchs = map[string]string{
	"amd64": "x86_64", "386": "i386", "arm64": "aarch64", "ppc64le": "powerpc64le", "riscv64": "riscv64", "s390x": "s390x", "loong64": "loongarch64",
}

// system returns the folders that are searched last: those of
// /etc/ld-musl-ARCH.path, beside the loader's folder, or the default ones.
func (m *muslProcess) system() (string, error) {
	const standard = "/lib:/usr/local/lib:/usr/lib"
	machine := m.main.File.Machine
	arch := muslArchs[machine.Arch]
	if machine.Arch == "arm" {
		if arch = "arm"; machine.Note == "hard float" {
			arch = "armhf"
		}
	}
	if arch == "" {
		return "", doubt("the folders of musl's loader for %s are not known here", machine)
	}
	at := strings.TrimSuffix(path.Dir(path.Dir(m.interp)), "/") + "/etc/ld-musl-" + arch + ".path"
	f, err := m.v.Find(at)
	switch {
	case errors.Is(err, rootfs.ErrMissing):
		return standard, nil
	case err != nil:
		return "", lookup(err, m.main.Found, at)
	case f.File.Empty:
		return "", nil
	case f.Text == nil:
		return "", doubt("%s was not read", Name(m.v, f))
	}
	return string(f.Text), nil
}
