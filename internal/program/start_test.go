package program

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

type file = imagetest.File

var (
	amd64 = imagetest.ELF("amd64", 0)
	arm64 = imagetest.ELF("arm64", 0)
)

func bin(name, body string) file { return file{Name: name, Body: body, Mode: 0o755} }

func entry(words ...string) Start { return Start{Entrypoint: words} }

// check reads layers, given from the base up, as far as it takes.
func check(t *testing.T, s Start, on string, layers ...[]file) (Report, int) {
	t.Helper()
	p, err := platform.Parse(on)
	if err != nil {
		t.Fatal(err)
	}
	v := rootfs.NewView(len(layers), s.Windows)
	r, final := Check(v, s, p)
	read := 0
	for n := len(layers) - 1; n >= 0 && !final; n-- {
		l, err := (&rootfs.Reader{Budget: &rootfs.Budget{}}).Read(bytes.NewReader(imagetest.Tar(layers[n])))
		if err != nil {
			t.Fatal(err)
		}
		v.Push(l)
		read++
		r, final = Check(v, s, p)
	}
	if !final {
		t.Error("everything is read, and the report is not final")
	}
	return r, read
}

// starts describes in a line what is started: "path@layer machine <via", the
// verdict, its reasons, how many layers were read.
func starts(t *testing.T, s Start, layers ...[]file) string {
	t.Helper()
	on := "linux/arm64"
	if s.Windows {
		on = "windows/amd64"
	}
	r, read := check(t, s, on, layers...)
	var out []string
	for _, p := range r.Programs {
		one := fmt.Sprintf("%s@%d %s", p.Path, len(layers)-1-p.Layer, p.File.Machine.Arch)
		if len(p.Via) > 0 {
			one += " <" + strings.Join(p.Via, "<")
		}
		out = append(out, one)
	}
	out = append(out, string(r.Verdict))
	return strings.Join(append(append(out, r.Reasons...), fmt.Sprint(read)), "; ")
}

const fits = ", and the image says that it is for linux/arm64; it is in layer 1 of 1"

func TestStart(t *testing.T) {
	base := []file{
		{Name: "bin", Link: "usr/bin"}, bin("usr/bin/sh", arm64), bin("usr/bin/env", arm64), bin("usr/bin/node", arm64), {Name: "lib/x", Body: "x"},
	}
	for name, c := range map[string]struct {
		start  Start
		layers [][]file
		want   string
	}{
		"absolute":                   {entry("/app"), [][]file{base, {bin("app", arm64), {Name: "later"}}}, "app@1 arm64; starts; 1"},
		"only as far as needed":      {entry("/app"), [][]file{{bin("app", amd64)}, {bin("app", arm64)}, {{Name: "x"}}}, "app@1 arm64; starts; 2"},
		"of another platform":        {entry("/app"), [][]file{{bin("app", amd64)}}, "app@0 amd64; wrong; /app is ELF amd64" + fits + "; 1"},
		"in the base image":          {entry("/usr/bin/sh"), [][]file{base, {{Name: "x"}}}, "usr/bin/sh@0 arm64; starts; 2"},
		"the first in PATH":          {entry("x"), [][]file{{bin("bin/x", amd64), bin("usr/bin/x", arm64)}}, "usr/bin/x@0 arm64; starts; 1"},
		"an earlier folder below":    {entry("x"), [][]file{{bin("usr/local/bin/x", arm64)}, {bin("usr/bin/x", amd64)}}, "usr/local/bin/x@0 arm64; starts; 2"},
		"past a file without x":      {entry("x"), [][]file{{{Name: "usr/local/bin/x", Body: amd64}, bin("usr/bin/x", arm64)}}, "usr/bin/x@0 arm64; starts; 1"},
		"twice in a layer":           {entry("/x"), [][]file{{bin("x", arm64), bin("x", amd64)}}, "x@0 amd64; wrong; /x is ELF amd64" + fits + "; 1"},
		"by the image's PATH":        {Start{Cmd: []string{"x"}, Env: []string{"A=b", "PATH=/a:/b"}}, [][]file{{bin("b/x", arm64), bin("bin/x", amd64)}}, "b/x@0 arm64; starts; 1"},
		"by WorkingDir":              {Start{Entrypoint: []string{"./run"}, WorkingDir: "/srv"}, [][]file{{bin("srv/run", arm64)}}, "srv/run@0 arm64; starts; 1"},
		"a whiteout":                 {entry("/app"), [][]file{{bin("app", arm64)}, {{Name: ".wh.app"}}}, "wrong; /app is not in the image; 1"},
		"not executable":             {entry("/app"), [][]file{{{Name: "app", Body: arm64}}}, "wrong; /app is not executable: chmod +x is missing; 1"},
		"a script":                   {entry("/run.sh"), [][]file{base, {bin("run.sh", "#!/bin/sh -e\nexec /bin/node\n")}}, "usr/bin/sh@0 arm64 </run.sh; usr/bin/node@0 arm64 </run.sh</usr/bin/sh; starts; 2"},
		"a script by env":            {entry("/run"), [][]file{base, {bin("run", "#!/usr/bin/env -S node --x\n")}}, "usr/bin/env@0 arm64 </run; usr/bin/node@0 arm64 </run</usr/bin/env; starts; 2"},
		"a script's script":          {entry("/a"), [][]file{{bin("a", "#!/b\n"), bin("b", "#!/c\n"), bin("c", arm64)}}, "c@0 arm64 </a</b; starts; 1"},
		"scripts in a circle":        {entry("/a"), [][]file{{bin("a", "#!/a\n")}}, "wrong; /a, /a, /a, /a, /a, /a: its interpreter is a script, and so on: too many levels; 1"},
		"no interpreter":             {entry("/a"), [][]file{{bin("a", "#!/bin/zsh\n")}}, "wrong; /bin/zsh is not in the image; 1"},
		"a carriage return":          {entry("/a"), [][]file{base, {bin("a", "#!/bin/sh\r\nexec /x\r\n")}}, `wrong; /a has a #! line that ends with a carriage return, as editors on Windows write it: the kernel looks for "/bin/sh\r"; 2`},
		"tini":                       {entry("/tini", "-g", "--", "/app", "x"), [][]file{{bin("app", arm64)}, {bin("tini", arm64)}}, "tini@1 arm64; app@0 arm64 </tini; starts; 2"},
		"tini -p":                    {entry("/tini", "-p", "SIGTERM", "--", "/app"), [][]file{{bin("app", amd64), bin("tini", arm64)}}, "tini@0 arm64; app@0 amd64 </tini; wrong; /app is ELF amd64" + fits + "; 1"},
		"tini -e":                    {entry("/tini", "-e", "143", "/app"), [][]file{{bin("app", arm64), bin("tini", arm64)}}, "tini@0 arm64; app@0 arm64 </tini; starts; 1"},
		"dumb-init":                  {entry("/dumb-init", "--rewrite", "15:3", "/app"), [][]file{{bin("app", arm64), bin("dumb-init", arm64)}}, "dumb-init@0 arm64; app@0 arm64 </dumb-init; starts; 1"},
		"env -u":                     {entry("/usr/bin/env", "-u", "X", "node"), [][]file{base}, "usr/bin/env@0 arm64; usr/bin/node@0 arm64 </usr/bin/env; starts; 1"},
		"env sets PATH":              {entry("/usr/bin/env", "PATH=/opt", "node"), [][]file{base, {bin("opt/node", arm64)}}, "usr/bin/env@0 arm64; opt/node@1 arm64 </usr/bin/env; starts; 2"},
		"nice":                       {entry("/nice", "-n", "10", "/app"), [][]file{{bin("nice", arm64), bin("app", arm64)}}, "nice@0 arm64; app@0 arm64 </nice; starts; 1"},
		"timeout":                    {entry("/timeout", "-s", "INT", "5", "/app"), [][]file{{bin("timeout", arm64), bin("app", arm64)}}, "timeout@0 arm64; app@0 arm64 </timeout; starts; 1"},
		"gosu":                       {entry("/gosu", "root", "/app"), [][]file{{bin("app", arm64), bin("gosu", arm64)}}, "gosu@0 arm64; app@0 arm64 </gosu; starts; 1"},
		"another program's -c":       {entry("/nginx", "-c", "/app"), [][]file{{bin("app", amd64), bin("nginx", arm64)}}, "nginx@0 arm64; starts; 1"},
		"the shell form":             {Start{Cmd: []string{"/bin/sh", "-c", "X=1 exec /app --flag"}}, [][]file{base, {bin("app", arm64)}}, "usr/bin/sh@0 arm64; app@1 arm64 </usr/bin/sh; starts; 2"},
		"cd, and a file there":       {Start{Cmd: []string{"/bin/sh", "-c", "cd /opt/app && ./server"}}, [][]file{base, {bin("opt/app/server", arm64)}}, "usr/bin/sh@0 arm64; opt/app/server@1 arm64 </usr/bin/sh; starts; 2"},
		"quoted":                     {Start{Cmd: []string{"/bin/sh", "-c", `exec "/opt/my app"`}}, [][]file{base, {bin("opt/my app", arm64)}}, "usr/bin/sh@0 arm64; opt/my app@1 arm64 </usr/bin/sh; starts; 2"},
		"bash -lc":                   {Start{Cmd: []string{"/bash", "-lc", "/app"}}, [][]file{{bin("bash", arm64), bin("app", amd64)}}, "bash@0 arm64; app@0 amd64 </bash; wrong; /app is ELF amd64" + fits + "; 1"},
		"bash -lc by PATH":           {Start{Cmd: []string{"/bash", "-lc", "app"}}, [][]file{{bin("bash", arm64), bin("opt/app", amd64), {Name: "etc/profile", Body: "PATH=/opt"}}}, "bash@0 arm64; wrong; /opt/app is ELF amd64" + fits + "; 1"},
		`exec "$@"`:                  {Start{Entrypoint: []string{"/e.sh"}, Cmd: []string{"node", "x"}}, [][]file{base, {bin("e.sh", "#!/bin/sh\nset -e\nexec \"$@\"\n")}}, "usr/bin/sh@0 arm64 </e.sh; usr/bin/node@0 arm64 </e.sh</usr/bin/sh; starts; 2"},
		"a branch that is not taken": {Start{Cmd: []string{"/bin/sh", "-c", `if [ "$1" = x ]; then /gone; fi; exec /app`}}, [][]file{base, {bin("app", arm64)}}, "usr/bin/sh@0 arm64; app@1 arm64 </usr/bin/sh; starts; 2"},
		"a branch that may be":       {Start{Cmd: []string{"/bin/sh", "-c", `if test -e /x; then /gone; fi; exec /app`}}, [][]file{base, {bin("app", arm64)}}, "usr/bin/sh@0 arm64; app@1 arm64 </usr/bin/sh; not verified; /gone is not in the image; 2"},
		"nothing":                    {Start{}, [][]file{base}, "not verified; the image names no program to start; 0"},
		"a text":                     {entry("/a"), [][]file{{bin("a", "hello")}}, "wrong; /a is neither a program nor a script with a #! line: exec format error; 1"},
		"a text by tini":             {entry("/tini", "/a"), [][]file{{bin("a", "hello"), bin("tini", arm64)}}, "tini@0 arm64; not verified; /a is neither a program nor a script with a #! line, and is given to a shell; 1"},
		"missing":                    {entry("app"), [][]file{base}, "wrong; app is not in the folders of PATH, /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; 1"},
		"a folder":                   {entry("/d"), [][]file{{{Name: "d/", Dir: true}}}, "wrong; /d is a folder; 1"},
		"Windows":                    {Start{Entrypoint: []string{`C:\App\Run.exe`}, Windows: true}, [][]file{{bin("Files/app/run.EXE", imagetest.PE(0x8664))}}, "files/app/run.exe@0 amd64; not verified; /files/app/run.exe is PE windows/amd64, and what such a program loads is not followed; 1"},
		"Windows' cmd":               {Start{Cmd: []string{"cmd", "/S", "/C", `"C:\run.exe" x`}, Windows: true}, [][]file{{bin("Files/Windows/System32/cmd.exe", imagetest.PE(0x8664)), bin("Files/run.exe", imagetest.PE(0xaa64))}}, "files/windows/system32/cmd.exe@0 amd64; files/run.exe@0 arm64; wrong; /files/run.exe is PE windows/arm64, and the image says that it is for windows/amd64; it is in layer 1 of 1; 1"},
	} {
		if got := starts(t, c.start, c.layers...); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// The entrypoints of official images, shortened, in front of a program of
// another platform and of one that fits.
func TestOfficialEntrypoints(t *testing.T) {
	redis := "#!/bin/sh\nset -e\nif [ \"${1#-}\" != \"$1\" ] || [ \"${1%.conf}\" != \"$1\" ]; then\n\tset -- redis-server \"$@\"\nfi\nif [ \"$1\" = 'redis-server' -a \"$(id -u)\" = '0' ]; then\n\texec gosu redis \"$0\" \"$@\"\nfi\nexec \"$@\"\n"
	postgres := "#!/usr/bin/env bash\nset -Eeo pipefail\n_main() {\n\tif [ \"${1:0:1}\" = '-' ]; then\n\t\tset -- postgres \"$@\"\n\tfi\n\texec \"$@\"\n}\n_main \"$@\"\n"
	for name, c := range map[string]struct {
		script, program string
		cmd             []string
	}{
		"redis":           {redis, "redis-server", []string{"redis-server"}},
		"redis, flags":    {redis, "redis-server", []string{"--port", "1"}},
		"redis, a file":   {redis, "redis-server", []string{"/etc/redis.conf"}},
		"postgres":        {postgres, "postgres", []string{"postgres"}},
		"postgres, flags": {postgres, "postgres", []string{"-c", "x=y"}},
	} {
		for arch, want := range map[string]Verdict{arm64: Starts, amd64: Wrong} {
			layer := []file{bin("bin/sh", arm64), bin("bin/bash", arm64), bin("usr/bin/env", arm64), bin("bin/gosu", arm64), bin("bin/id", arm64), bin("e.sh", c.script), bin("bin/"+c.program, arch)}
			r, _ := check(t, Start{Entrypoint: []string{"/e.sh"}, Cmd: c.cmd}, "linux/arm64", layer)
			if r.Verdict != want {
				t.Errorf("%s: %s, want %s: %v", name, r.Verdict, want, r.Reasons)
			}
		}
	}
}

func TestArmVersions(t *testing.T) {
	v7 := imagetest.ELF("arm", 0x05000400) + "\xff Go buildinf:\x04\x02" + strings.Repeat("\x00", 16) + "\x00\x0dbuild\tGOARM=7"
	for on, want := range map[string]Verdict{"linux/arm/v6": Wrong, "linux/arm/v7": Starts, "linux/arm/v8": Starts} {
		if r, _ := check(t, entry("/app"), on, []file{bin("app", v7)}); r.Verdict != want {
			t.Errorf("%s: %s: %v", on, r.Verdict, r.Reasons)
		}
	}
}

func FuzzShell(f *testing.F) {
	f.Add(`cd /opt && exec "$@"`, "a")
	f.Add("set -e; if [ x = y ]; then exec a; fi; for i in 1 2; do $i; done", "-c")
	f.Add(`f() { f "$@"; }; f; . /e.sh; case "$1" in a) b;; esac; x=$(y) z <<E`, "")
	f.Fuzz(func(t *testing.T, line, arg string) {
		check(t, entry("/sh", "-c", line, "x", arg), "linux/arm64", []file{bin("sh", arm64), bin("e.sh", "#!/sh\n"+line)})
		check(t, entry("/tini", arg, line), "linux/arm64", []file{bin("tini", arm64)})
		check(t, Start{Entrypoint: []string{"cmd", arg, line}, Windows: true}, "windows/amd64", []file{bin("Files/Windows/cmd.exe", imagetest.PE(0x8664))})
	})
}
