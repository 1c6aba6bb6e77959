package programs

import (
	"path/filepath"
	"strings"

	"github.com/polyarch/polyarch/internal/program"
)

// searches moves a library to where the loader looks for one reason or another.
func (s *set) searches(add adder) {
	v, err := s.base.view(nil)
	if err != nil {
		return
	}
	argv := []string{"/bin/grep", "-V"}
	r, _ := program.Check(v, program.Start{Entrypoint: argv}, s.platform)
	for _, l := range r.Programs[0].Loads {
		name := l.File.ELF.Dynamic.Soname
		if !strings.HasPrefix(name, "libpcre") {
			continue
		}
		at := func(dir string) file {
			f, _ := copied(filepath.Join(s.base.dir, l.Path), dir+"/"+name, 0o644)
			return f
		}
		links := []file{gone(l.Path)}
		if dir := filepath.Dir(l.Path); filepath.Base(l.Path) != name {
			links = append(links, gone(dir+"/"+name))
		}
		moved := func(more ...file) []file { return append(append([]file{}, links...), more...) }
		add("a library moved", "nowhere", argv, moved())
		add("right", "to /lib", argv, moved(at("/lib")))
		add("right", "to /usr/lib", argv, moved(at("/usr/lib")))
		add("a library moved", "to /usr/local/lib, without a cache", argv, moved(at("/usr/local/lib"), gone("/etc/ld.so.cache")))
		add("a library moved", "to /opt, with a line in ld.so.conf.d and no cache", argv, moved(at("/opt"), file{Name: "etc/ld.so.conf.d/opt.conf", Body: "/opt\n"}))
		add("right", "to LD_LIBRARY_PATH", argv, moved(at("/opt")), "LD_LIBRARY_PATH=/srv:/opt")
		add("right", "to LD_LIBRARY_PATH, with a semicolon", argv, moved(at("/opt")), "LD_LIBRARY_PATH=/srv;/opt")
		add("right", "to the working folder, by an empty LD_LIBRARY_PATH entry", argv, moved(at("/")), "LD_LIBRARY_PATH=/srv:")
		add("right", "preloaded", argv, moved(at("/opt")), "LD_PRELOAD=/opt/"+name)
		add("right", "a preload that is missing", argv, nil, "LD_PRELOAD=/opt/none.so")
		f, ok := s.others[0].like(l.Path)
		if !ok {
			f = s.foreign("opt/" + name)[0]
		}
		f.Name = "opt/" + name
		add("right", "one of another architecture comes first", argv, []file{f}, "LD_LIBRARY_PATH=/opt")
		add("a library empty", "an empty one comes first", argv, []file{{Name: "opt/" + name}}, "LD_LIBRARY_PATH=/opt")
		add("a library a folder", "a folder comes first", argv, []file{{Name: "opt/" + name, Dir: true}}, "LD_LIBRARY_PATH=/opt")
		add("a library a link that loops", "in LD_LIBRARY_PATH", argv, []file{{Name: "opt/" + name, Link: name}}, "LD_LIBRARY_PATH=/opt")
		add("a library a link that loops", "alone", argv, moved(file{Name: "usr/lib/" + name, Link: name}))
		if s.platform.Arch == "amd64" {
			add("hwcaps", "a right one", argv, []file{at("/usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v2")})
			add("hwcaps", "an empty one", argv, []file{{Name: "usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v2/" + name}})
		}
		return
	}
}
