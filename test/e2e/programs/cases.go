package programs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/program"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// A testCase is a root file system and what it starts.
type testCase struct {
	rule  string // what was done to it: "a library removed"
	name  string
	on    platform.Platform
	base  *base
	files []file
	start program.Start
	env   []string // of the run alone: which processor is emulated
}

// starting are the programs that cases are about, with arguments that make them
// end well at once.
var starting = [][]string{
	{"/bin/ls", "--version"}, {"/bin/bash", "-c", "echo right"}, {"/bin/grep", "-V"}, {"/usr/bin/perl", "-e", "print 1"},
	{"/bin/sed", "--version"}, {"/usr/bin/curl", "--version"},
}

// serving are the programs of servers.
func serving(arch string) [][]string {
	return [][]string{
		{"/usr/sbin/nginx", "-v"}, {"/usr/bin/redis-server", "--version"}, {"/usr/lib/postgresql/15/bin/postgres", "--version"},
		{"/usr/bin/node", "--version"}, {"/usr/bin/python3", "-V"}, {"/usr/lib/jvm/java-17-openjdk-" + arch + "/bin/java", "-version"},
	}
}

// A set is the bases that cases of one platform mix.
type set struct {
	platform platform.Platform
	base     *base
	others   []*base // of other architectures
	older    *base   // of an older release, or nil
	newer    *base
	cpu      []string
}

// cases breaks a root file system by every rule.
func (s *set) cases(programs [][]string) (all []testCase, err error) {
	add := func(rule, name string, argv []string, files []file, env ...string) {
		all = append(all, testCase{rule: rule, on: s.platform, name: s.platform.String() + ": " + name, base: s.base, files: files, start: program.Start{Entrypoint: argv, Env: env}, env: s.cpu})
	}
	for _, argv := range programs {
		v, err := s.base.view(nil)
		if err != nil {
			return nil, err
		}
		r, _ := program.Check(v, program.Start{Entrypoint: argv}, s.platform)
		if r.Verdict == program.Wrong || len(r.Programs) == 0 {
			return nil, fmt.Errorf("%s: %s is %s: %s", s.platform, argv[0], r.Verdict, strings.Join(r.Reasons, "; "))
		}
		add("right", argv[0], argv, nil)
		libraries := r.Programs[0].Loads
		slices.SortFunc(libraries, func(a, b rootfs.Found) int { return strings.Compare(a.Path, b.Path) })
		if err := s.libraries(argv, libraries, add); err != nil {
			return nil, err
		}
	}
	if len(s.others) == 0 {
		return all, nil
	}
	s.links(add)
	s.scripts(add)
	s.searches(add)
	return all, nil
}

type adder func(rule, name string, argv []string, files []file, env ...string)

// libraries breaks what a program loads.
func (s *set) libraries(argv []string, libraries []rootfs.Found, add adder) error {
	most := 3 // of one program
	for _, l := range libraries {
		isLoader := l.File.ELF.Dynamic.IsGlibcLoader()
		if l.File.ELF.Dynamic.Soname == "" || !isLoader && most == 0 {
			continue
		}
		name := argv[0] + ", " + filepath.Base(l.Path)
		rule := "a library "
		if isLoader {
			rule = "the loader "
		} else {
			most--
		}
		add(rule+"removed", name, argv, []file{gone(l.Path)})
		add(rule+"empty", name, argv, []file{{Name: l.Path, Mode: 0o755}})
		add(rule+"a text", name, argv, []file{{Name: l.Path, Body: "/* GNU ld script */\n", Mode: 0o755}})
		if isLoader {
			f, err := copied(filepath.Join(s.base.dir, l.Path), l.Path, 0o755)
			if err != nil {
				return err
			}
			f.Body = f.Body[:len(f.Body)/3]
			add("the loader cut short", name, argv, []file{f})
		}
		for n, o := range s.others {
			if n > 0 && most > 0 {
				continue
			}
			if f, ok := o.like(l.Path); ok {
				add(rule+"of another architecture", fmt.Sprintf("%s of %s", name, filepath.Base(o.dir)), argv, []file{f})
			}
		}
		for age, o := range map[string]*base{"older": s.older, "newer": s.newer} {
			if o == nil {
				continue
			}
			if f, ok := o.like(l.Path); ok {
				add(rule+"of an "+age+" release", name, argv, []file{f})
			}
		}
	}
	for age, o := range map[string]*base{"older": s.older, "newer": s.newer} {
		if o == nil {
			continue
		}
		if f, ok := o.like(argv[0]); ok {
			f.Name = strings.TrimPrefix(argv[0], "/")
			add("the program of an "+age+" release", argv[0], argv, []file{f})
		}
	}
	return nil
}

// like finds the file of a base that has the same name, and puts it there.
func (b *base) like(p string) (file, bool) {
	name := filepath.Base(p)
	found := ""
	for at := range b.layer.All() {
		if filepath.Base(at) == name && (found == "" || at < found) {
			found = at
		}
	}
	if found == "" && strings.HasPrefix(name, "ld") { // each architecture has its own name for it
		for at, e := range b.layer.All() {
			if e.File.ELF != nil && e.File.ELF.Dynamic != nil && e.File.ELF.Dynamic.IsGlibcLoader() {
				found = at
			}
		}
	}
	if found == "" {
		return file{}, false
	}
	at, err := filepath.EvalSymlinks(filepath.Join(b.dir, found))
	if err != nil || !strings.HasPrefix(at, b.dir) {
		return file{}, false
	}
	f, err := copied(at, p, 0o755)
	return f, err == nil
}

// links breaks how a program is reached.
func (s *set) links(add adder) {
	ls, _ := copied(filepath.Join(s.base.dir, "bin/ls"), "/opt/app", 0o755)
	argv := []string{"/opt/app", "--version"}
	with := func(mode int64, more ...file) []file {
		f := ls
		f.Mode = mode
		return append([]file{f}, more...)
	}
	add("right", "a copy", argv, with(0o755))
	add("not executable", "a copy", argv, with(0o644))
	add("a link that loops", "/opt/app", argv, []file{{Name: "opt/app", Link: "b"}, {Name: "opt/b", Link: "/opt/app"}})
	add("a link that leads nowhere", "/opt/app", argv, []file{{Name: "opt/app", Link: "b"}})
	add("right", "a link out of the root", argv, []file{{Name: "opt/app", Link: "../../../bin/ls"}})
	add("right", "a link to a link in a folder that is a link", []string{"/x/app", "--version"}, with(0o755, file{Name: "x", Link: "y"}, file{Name: "y", Link: "opt"}))
	add("a folder", "/opt", []string{"/opt"}, with(0o755))
	add("a file for a folder", "/opt/app/x", []string{"/opt/app/x"}, with(0o755))
	add("a text", "/opt/app", argv, []file{{Name: "opt/app", Body: "exec /bin/ls --version\n", Mode: 0o755}})
	add("empty", "/opt/app", argv, []file{{Name: "opt/app", Mode: 0o755}})
	cut := ls
	cut.Body = cut.Body[:48]
	add("the program cut short", "48 bytes", argv, []file{cut})
	cut.Body = ls.Body[:4096]
	add("the program cut short", "4096 bytes", argv, []file{cut})
	for _, o := range s.others {
		if f, ok := o.like("/bin/ls"); ok {
			f.Name = "opt/app"
			add("the program of another architecture", filepath.Base(o.dir), argv, []file{f})
		}
	}
	add("missing", "/opt/none", []string{"/opt/none"}, nil)
	add("missing", "by PATH", []string{"none"}, nil)
	add("right", "by PATH", []string{"ls", "--version"}, nil)
	add("right", "by PATH, past a file that is not executable", []string{"app", "--version"}, with(0o755, file{Name: "srv/app", Body: "x"}), "PATH=/srv:/opt")
	add("the program of another architecture", "the first in PATH", []string{"app", "--version"}, with(0o755, s.foreign("srv/app")...), "PATH=/srv:/opt")
	add("right", "the second in PATH is of another architecture", []string{"app", "--version"}, with(0o755, s.foreign("srv/app")...), "PATH=/opt:/srv")
}

// foreign is a program of another architecture.
func (s *set) foreign(at string) []file {
	f, _ := s.others[0].like("/bin/ls")
	f.Name = at
	return []file{f}
}
