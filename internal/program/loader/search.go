package loader

import (
	"path"
	"strings"

	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// A place is where a library is looked for.
type place struct {
	file  string
	level int // of glibc-hwcaps, 0: on every processor
}

// search lists the places for a name, in order.
type search func(name string) []place

// searches are the loader's, in its order, for what a file needs
// (_dl_map_object): RPATH of the file and of those that led to it,
// LD_LIBRARY_PATH, RUNPATH, the cache, the default folders.
func (g *glibcProcess) searches(by *loaded) (all []search, err error) {
	folders := func(list, separators string, of *loaded) error {
		if list == "" {
			return nil
		}
		var dirs []string
		for _, dir := range split(list, separators) {
			if dir == "" {
				dir = "."
			}
			if dir, err = g.expand(dir, of); err != nil {
				return err
			}
			dirs = append(dirs, dir)
		}
		all = append(all, g.in(dirs))
		return nil
	}
	if !by.d.HasRunPath {
		main := false
		for l := by; l != nil; l = l.by {
			if !l.d.HasRunPath {
				if err := folders(l.d.RPath, ":", l); err != nil {
					return nil, err
				}
			}
			main = main || l == g.main
		}
		if !main && !g.main.d.HasRunPath {
			if err := folders(g.main.d.RPath, ":", g.main); err != nil {
				return nil, err
			}
		}
	}
	if err := folders(g.env.LibraryPath, ":;", g.main); err != nil {
		return nil, err
	}
	if err := folders(by.d.RunPath, ":", by); err != nil {
		return nil, err
	}
	all = append(all, func(name string) []place { return g.cached(name, by.d.NoDefaultLib) })
	if !by.d.NoDefaultLib {
		all = append(all, g.in(g.rtld.d.SystemDirs))
	}
	return all, nil
}

func split(list, separators string) []string {
	return strings.Split(strings.Map(func(r rune) rune {
		if strings.ContainsRune(separators, r) {
			return ':'
		}
		return r
	}, list), ":")
}

// in searches folders, each with its folders for newer processors first.
func (g *glibcProcess) in(dirs []string) search {
	return func(name string) (all []place) {
		for _, dir := range dirs {
			names := levels[g.main.File.Machine.Arch]
			for n := len(names); n > 0; n-- {
				all = append(all, place{dir + "/glibc-hwcaps/" + names[n-1] + "/" + name, n})
			}
			for _, old := range legacy[g.main.File.Machine.Arch] {
				all = append(all, place{dir + "/" + old + "/" + name, maxLevel})
			}
			all = append(all, place{dir + "/" + name, 0})
		}
		return all
	}
}

// levels are the folders of glibc-hwcaps, the one that asks least first.
var levels = map[string][]string{
	"amd64":   {"x86-64-v2", "x86-64-v3", "x86-64-v4"},
	"ppc64le": {"power9", "power10"},
	"s390x":   {"z13", "z14", "z15", "z16"},
}

// legacy are folders that loaders before glibc 2.37 looked into.
var legacy = map[string][]string{
	"amd64": {"tls", "haswell", "avx512_1", "x86_64"},
	"386":   {"tls", "i686", "sse2"},
	"arm":   {"tls", "neon", "vfp"}, "arm64": {"tls", "atomics"},
	"ppc64le": {"tls", "power8", "power9"}, "s390x": {"tls", "z13", "zEC12"},
	"riscv64": {"tls"}, "mips64le": {"tls"},
}

const maxLevel = 5

// expand replaces the loader's variables in a path (ld.so(8), "Dynamic string
// tokens").
func (g *glibcProcess) expand(p string, of *loaded) (string, error) {
	if !strings.Contains(p, "$") {
		return p, nil
	}
	if strings.Contains(p, "$ORIGIN") || strings.Contains(p, "${ORIGIN}") {
		g.origin = true
	}
	p = replace(p, "ORIGIN", path.Dir(of.opened))
	lib := strings.TrimPrefix(g.rtld.d.SystemDirs[0], "/")
	p = replace(p, "LIB", strings.TrimPrefix(lib, "usr/"))
	if strings.Contains(p, "$PLATFORM") || strings.Contains(p, "${PLATFORM}") {
		return "", doubt("/%s looks for libraries in %s, which depends on the processor", of.Path, p)
	}
	return p, nil
}

func replace(p, name, by string) string {
	p = strings.ReplaceAll(p, "${"+name+"}", by)
	var out strings.Builder
	for {
		before, after, ok := strings.Cut(p, "$"+name)
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		if after != "" && (after[0] == '_' || after[0] >= 'A' && after[0] <= 'Z' || after[0] >= 'a' && after[0] <= 'z' || after[0] >= '0' && after[0] <= '9') {
			out.WriteString("$" + name)
		} else {
			out.WriteString(by)
		}
		p = after
	}
}

// cached lists where ld.so.cache says that a library is.
func (g *glibcProcess) cached(name string, noDefault bool) (all []place) {
	if g.cache == nil {
		return nil
	}
	for _, c := range g.cache.find(name, g.main.File.Machine) {
		if noDefault && within(c.path, g.rtld.d.SystemDirs) {
			continue
		}
		level := 0
		switch {
		case c.hwcap != "":
			level = maxLevel + 1 // which no run takes
			for n, l := range levels[g.main.File.Machine.Arch] {
				if l == c.hwcap {
					level = n + 1
				}
			}
		case c.legacy:
			level = maxLevel
		}
		all = append(all, place{c.path, level})
	}
	return all
}

func within(p string, dirs []string) bool {
	for _, dir := range dirs {
		if path.Dir(p) == dir {
			return true
		}
	}
	return false
}

// readCache reads the cache that the loader was built to use.
func (g *glibcProcess) readCache() error {
	at := g.rtld.d.CachePath
	if at == "" {
		at = "/etc/ld.so.cache"
	}
	f, err := g.v.Find(at)
	if err != nil {
		if w := lookup(err, g.rtld.Found, at); !isWrong(w) {
			return w
		}
		return nil // none is a slower start
	}
	if f.Kind != rootfs.Regular || f.File.Empty {
		return nil
	}
	if f.Text == nil {
		return doubt("%s was not read", Name(g.v, f))
	}
	g.cache = parseCache(f.Text, g.main.File.ELF.Data == 2)
	return nil
}

func isWrong(err error) bool {
	_, ok := err.(*Wrong)
	return ok
}
