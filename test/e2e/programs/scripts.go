package programs

import "path/filepath"

// scripts breaks what a script needs.
func (s *set) scripts(add adder) {
	script := func(name, text string) file { return file{Name: name, Body: text, Mode: 0o755} }
	foreign := s.foreign("opt/foreign")
	one := func(rule, name, text string, more ...file) {
		add(rule, name, []string{"/opt/run", "x", "y"}, append([]file{script("opt/run", text)}, more...))
	}
	one("right", "#!/bin/bash", "#!/bin/bash\nexit 0\n")
	one("right", "#! with an option", "#! /bin/bash -e\nexit 0\n")
	one("right", "by env", "#!/usr/bin/env bash\nexit 0\n")
	one("right", "by env -S", "#!/usr/bin/env -S bash -e\nexit 0\n")
	one("a script's interpreter missing", "zsh", "#!/bin/zsh\nexit 0\n")
	one("a script's interpreter missing", "by env", "#!/usr/bin/env zsh\nexit 0\n")
	one("a script's interpreter missing", "env takes one word", "#!/usr/bin/env bash -e\nexit 0\n")
	one("a script's interpreter missing", "removed", "#!/bin/bash\nexit 0\n", gone("/bin/bash"))
	one("a script with carriage returns", "bash", "#!/bin/bash\r\nexit 0\r\n")
	one("a script with carriage returns", "by env", "#!/usr/bin/env bash\r\nexit 0\r\n")
	one("a script with carriage returns", "with an option", "#!/bin/bash -e\r\nexit 0\r\n")
	one("a script's interpreter of another architecture", "/opt/foreign", "#!/opt/foreign\n", foreign...)
	one("a script's interpreter not executable", "/opt/i", "#!/opt/i\n", file{Name: "opt/i", Body: "#!/bin/bash\n"})
	one("a script's interpreter a folder", "/bin", "#!/bin\n")
	for n := 1; n <= 6; n++ { // how many scripts stand between
		files := []file{}
		for k := range n {
			next := "#!/opt/i" + string(rune('0'+k+1)) + "\n"
			if k == n-1 {
				next = "#!/bin/true\n"
			}
			files = append(files, script("opt/i"+string(rune('0'+k)), next))
		}
		one("scripts as interpreters", string(rune('0'+n)), "#!/opt/i0\n", files...)
	}
	one("right", `exec "$@"`, "#!/bin/bash\nset -e\nexec /bin/ls --version\n")
	one("a script starts a program of another architecture", "exec", "#!/bin/bash\nset -e\nexec /opt/foreign\n", foreign...)
	one("right", "a branch that is not taken", "#!/bin/bash\nif [ \"$1\" = z ]; then exec /opt/foreign; fi\nexec /bin/ls --version\n", foreign...)
	one("right", "a copy is made first", "#!/bin/bash\nset -e\ncp /bin/ls /opt/foreign\nexec /opt/foreign --version\n", foreign...)
	one("right", "PATH is set", "#!/bin/bash\nexport PATH=/bin:/usr/bin\nexec ls --version\n")
	one("a script starts what is missing", "by a PATH that is set", "#!/bin/bash\nexport PATH=/none\nexec ls --version\n")
	one("a script starts what is missing", "last", "#!/bin/bash\n/opt/none\n")
	one("right", "what is missing does not matter", "#!/bin/bash\n/opt/none\nexec /bin/ls --version\n")
	one("right", "or", "#!/bin/bash\n/opt/none || exec /bin/ls --version\n")
	one("a script starts what is missing", "and", "#!/bin/bash\ncd /opt && ./none\n")

	entry := func(rule, name, text string, cmd []string, more ...file) {
		add(rule, name, append([]string{"/opt/run"}, cmd...), append([]file{script("opt/run", text)}, more...))
	}
	const official = "#!/bin/bash\nset -e\nif [ \"${1#-}\" != \"$1\" ]; then\n\tset -- ls \"$@\"\nfi\nexec \"$@\"\n"
	entry("right", `exec "$@" in an entrypoint`, "#!/bin/sh\nset -e\nexec \"$@\"\n", []string{"/bin/ls", "--version"}, file{Name: "bin/sh", Link: "bash"})
	entry("right", "flags for a command", official, []string{"--version"})
	entry("right", "a command", official, []string{"ls", "--version"})
	entry("a script starts a program of another architecture", `exec "$@" in an entrypoint`, "#!/bin/bash\nset -e\nexec \"$@\"\n", []string{"/opt/foreign"}, foreign...)
	entry("a script starts a program of another architecture", "that it may change", official, []string{"/opt/foreign"}, foreign...)
	sh := func(rule, name string, line string, more ...file) {
		add(rule, name, []string{"/bin/bash", "-c", line}, more)
	}
	sh("right", "bash -c", "cd /bin && ./ls --version")
	sh("right", "bash -c, quoted", `exec "/bin/ls" '--version'`)
	sh("a line starts a program of another architecture", "after cd", "cd /opt && ./foreign", foreign...)
	sh("a line starts a program of another architecture", "quoted", `"/opt/foreign"`, foreign...)
	sh("right", "a variable", `X=/bin/ls; $X --version`)
	sh("right", "a library path is set", "export LD_LIBRARY_PATH=/opt; exec /bin/ls --version")
	sh("a line starts what is missing", "last", "true; /opt/none")
	sh("right", "what is missing is not last", "/opt/none; true")
	add("right", "bash -lc", []string{"/bin/bash", "-lc", "/bin/ls --version"}, nil)
	add("a line starts a program of another architecture", "bash -lc", []string{"/bin/bash", "-lc", "/opt/foreign"}, foreign)
	for _, l := range [][]string{{"env", "-u", "X"}, {"nice", "-n", "10"}, {"timeout", "60"}, {"timeout", "-s", "TERM", "60"}, {"nohup"}, {"stdbuf", "-o", "L"}, {"env", "A=b"}} {
		add("right", "by "+l[0], append(l, "/bin/ls", "--version"), nil)
		add("a launcher starts a program of another architecture", filepath.Base(l[0]), append(l, "/opt/foreign"), foreign)
	}
	add("right", "a text by env", []string{"env", "/opt/text"}, []file{{Name: "opt/text", Body: "exit 0\n", Mode: 0o755}})
}
