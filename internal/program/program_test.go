package program

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/platform"
)

const eabi5 = 0x05000000

func TestFits(t *testing.T) {
	for _, c := range []struct {
		file, machine, fits, not string
	}{
		{imagetest.ELF("amd64", 0), "ELF amd64", "linux/amd64 linux/amd64/v3 freebsd/amd64", "linux/arm64 linux/386 windows/amd64"},
		{imagetest.ELF("386", 0), "ELF 386", "linux/386 linux/amd64", "linux/arm64"},
		{imagetest.ELF("arm64", 0), "ELF arm64", "linux/arm64", "linux/arm/v7 linux/amd64"},
		{imagetest.ELF("arm", eabi5), "ELF arm", "linux/arm/v5 linux/arm/v7 linux/arm", "linux/arm64"},
		{imagetest.ELF("arm", eabi5|0x400), "ELF arm (hard float)", "linux/arm/v6 linux/arm/v7", "linux/arm/v5"},
		{imagetest.ELF("arm", eabi5|0x200), "ELF arm (soft float)", "linux/arm/v5 linux/arm/v7", ""},
		{imagetest.ELF("arm", 0), "ELF arm (no EABI)", "", "linux/arm/v5 linux/arm/v7"},
		{imagetest.ELF("ppc64le", 2), "ELF ppc64le", "linux/ppc64le", "linux/ppc64"},
		{imagetest.ELF("ppc64", 2), "ELF ppc64", "linux/ppc64", "linux/ppc64le"},
		{imagetest.ELF("s390x", 0), "ELF s390x", "linux/s390x", "linux/amd64"},
		{imagetest.ELF("riscv64", 5), "ELF riscv64", "linux/riscv64", "linux/amd64"},
		{imagetest.ELF("loong64", 0), "ELF loong64", "linux/loong64", "linux/amd64"},
		{imagetest.ELF("mips", 0), "ELF mips", "linux/mips", "linux/mipsle"},
		{imagetest.ELF("mipsle", 0x20), "ELF mips64le", "linux/mips64le", "linux/mipsle"},
		{imagetest.ELF("mips64le", 0), "ELF mips64le", "linux/mips64le", "linux/mips64"},
		{with(imagetest.ELF("amd64", 0), 4, 1), "ELF amd64 (x32)", "", "linux/amd64"},
		{with(imagetest.ELF("amd64", 0), 7, 9), "ELF freebsd/amd64", "freebsd/amd64", "linux/amd64"},
		{with(imagetest.ELF("amd64", 0), 18, 247), "ELF any", "linux/arm64 linux/amd64", ""},
		{with(imagetest.ELF("amd64", 0), 18, 99), "ELF em99", "", "linux/amd64"},
		{imagetest.PE(0x8664), "PE windows/amd64", "windows/amd64", "linux/amd64 windows/arm64"},
		{imagetest.PE(0xaa64), "PE windows/arm64", "windows/arm64", "windows/amd64"},
		{imagetest.PE(0x14c), "PE windows/386", "windows/386 windows/amd64", "windows/arm64"},
		{"\xcf\xfa\xed\xfe\x0c\x00\x00\x01\x00\x00\x00\x00\x02\x00\x00\x00", "Mach-O darwin/arm64", "darwin/arm64", "linux/arm64"},
		{"\xca\xfe\xba\xbe\x00\x00\x00\x02\x00\x00\x00\x00\x02\x00\x00\x00", "Mach-O darwin/any", "darwin/arm64", "linux/arm64"},
	} {
		f := Identify([]byte(c.file))
		if f.Kind != Binary || !f.Program || f.Machine.String() != c.machine {
			t.Errorf("%s: got %+v", c.machine, f)
		}
		for want, list := range map[bool]string{true: c.fits, false: c.not} {
			for _, s := range strings.Fields(list) {
				p, err := platform.Parse(s)
				if err != nil {
					t.Fatal(err)
				}
				if f.Machine.Fits(p) != want {
					t.Errorf("%s on %s: not %v", c.machine, p, want)
				}
			}
		}
	}
	for name, s := range map[string]string{
		"short ELF": "\x7fELF", "text": "hello", "empty": "", "no class": with(imagetest.ELF("amd64", 0), 4, 7),
		"Java class": "\xca\xfe\xba\xbe\x00\x00\x00\x41\x00\x00\x00\x00\x02\x00\x00\x00", "DOS": "MZ" + strings.Repeat("\x00", 200),
		"#! alone": "#!\n",
	} {
		if f := Identify([]byte(s)); f.Kind != Other {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

func with(s string, at int, b byte) string { return s[:at] + string([]byte{b}) + s[at+1:] }

// The program that runs this test is one for its platform.
func TestIdentifyThisProgram(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	f := Identify(b[:HeadSize])
	if !f.Program || !f.Machine.Fits(platform.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH}) {
		t.Errorf("%+v does not fit %s/%s", f, runtime.GOOS, runtime.GOARCH)
	}
}

type file = imagetest.File

var (
	amd64 = imagetest.ELF("amd64", 0)
	arm64 = imagetest.ELF("arm64", 0)
)

func bin(name, body string) file { return file{Name: name, Body: body, Mode: 0o755} }

// start reads layers, given from the base up, as far as it takes, and tells
// what is started: "path@layer machine <via", the notes, how many layers were
// read whole.
func start(t *testing.T, s Start, layers ...[]file) string {
	t.Helper()
	tree := NewTree(len(layers), s.Windows)
	found, settled := tree.Start(s)
	whole := 0
	for n := len(layers) - 1; n >= 0 && !settled; n-- {
		tree.Begin()
		err := Scan(bytes.NewReader(imagetest.Tar(layers[n])), func(e Entry) bool {
			tree.Add(e)
			found, settled = tree.Start(s)
			return !settled
		})
		if err != nil {
			t.Fatal(err)
		}
		if !settled {
			whole++
			tree.End()
			found, settled = tree.Start(s)
		}
	}
	if !settled {
		t.Error("all is read, and nothing is settled")
	}
	var out []string
	for _, p := range found.Programs {
		one := fmt.Sprintf("%s@%d %s", p.Path, len(layers)-1-p.Layer, p.File.Machine.Arch)
		if len(p.Via) > 0 {
			one += " <" + strings.Join(p.Via, "<")
		}
		out = append(out, one)
	}
	return strings.Join(append(append(out, found.Notes...), fmt.Sprint(whole)), "; ")
}

func TestStart(t *testing.T) {
	entry := func(words ...string) Start { return Start{Entrypoint: words} }
	base := []file{
		{Name: "bin", Link: "usr/bin"}, bin("usr/bin/sh", amd64), bin("usr/bin/env", amd64),
		bin("usr/bin/node", arm64), {Name: "lib/x", Body: "x"},
	}
	for name, c := range map[string]struct {
		start  Start
		layers [][]file
		want   string
	}{
		"absolute":                  {entry("/app"), [][]file{base, {bin("app", arm64), {Name: "later"}}}, "app@1 arm64; 0"},
		"only as far as needed":     {entry("/app"), [][]file{{bin("app", amd64)}, {bin("app", arm64)}, {{Name: "x"}}}, "app@1 arm64; 1"},
		"in the base image":         {entry("/usr/bin/sh"), [][]file{base, {{Name: "x"}}}, "usr/bin/sh@0 amd64; 1"},
		"by PATH":                   {entry("node", "x.js"), [][]file{base, {{Name: "x"}}}, "usr/bin/node@0 arm64; 2"},
		"by the image's PATH":       {Start{Cmd: []string{"x"}, Env: []string{"A=b", "PATH=/a:/b"}}, [][]file{{bin("b/x", arm64), bin("bin/x", amd64)}}, "b/x@0 arm64; 1"},
		"the first in PATH":         {entry("x"), [][]file{{bin("bin/x", amd64), bin("usr/bin/x", arm64)}}, "usr/bin/x@0 arm64; 1"},
		"by WorkingDir":             {Start{Entrypoint: []string{"./run"}, WorkingDir: "/srv"}, [][]file{{bin("srv/run", arm64)}}, "srv/run@0 arm64; 0"},
		"a link":                    {entry("/bin/sh"), [][]file{base}, "usr/bin/sh@0 amd64; 0"},
		"a link below":              {entry("/bin/tool"), [][]file{base, {bin("usr/bin/tool", arm64)}}, "usr/bin/tool@1 arm64; 1"},
		"a chain of links":          {entry("/a"), [][]file{{{Name: "a", Link: "b/../c"}, {Name: "c", Link: "/d/e"}, bin("d/e", arm64)}}, "d/e@0 arm64; 0"},
		"links in a circle":         {entry("/a"), [][]file{{{Name: "a", Link: "b"}, {Name: "b", Link: "a"}}}, "/a is not in the image; 1"},
		"a link out of the root":    {entry("/a"), [][]file{{{Name: "a", Link: "../../../b"}, bin("b", arm64)}}, "b@0 arm64; 0"},
		"a hard link":               {entry("/b"), [][]file{{bin("a", arm64), {Name: "b", Hard: "a", Mode: 0o755}}}, "b@0 arm64; 0"},
		"a hard link to below":      {entry("/b"), [][]file{{bin("a", arm64)}, {{Name: "b", Hard: "a", Mode: 0o755}}}, "a@0 arm64; 1"},
		"a whiteout":                {entry("/app"), [][]file{{bin("app", arm64)}, {{Name: ".wh.app"}}}, "/app is not in the image; 2"},
		"a whiteout of its folder":  {entry("/d/app"), [][]file{{bin("d/app", arm64)}, {{Name: ".wh.d"}}}, "/d/app is not in the image; 2"},
		"an opaque folder":          {entry("/d/app"), [][]file{{bin("d/app", arm64)}, {{Name: "d/.wh..wh..opq"}, {Name: "d/other"}}}, "/d/app is not in the image; 2"},
		"opaque, and there again":   {entry("/d/app"), [][]file{{bin("d/app", amd64)}, {{Name: "d/.wh..wh..opq"}, bin("d/app", arm64)}}, "d/app@1 arm64; 0"},
		"a file where a folder was": {entry("/d/app"), [][]file{{bin("d/app", arm64)}, {{Name: "d", Body: "x"}}}, "/d/app is not in the image; 2"},
		"a script":                  {entry("/run.sh"), [][]file{base, {bin("run.sh", "#!/bin/sh -e\nexec x")}}, "usr/bin/sh@0 amd64 </run.sh; 1"},
		"a script by env":           {entry("/run"), [][]file{base, {bin("run", "#!/usr/bin/env -S node --x\n")}}, "usr/bin/env@0 amd64 </run; usr/bin/node@0 arm64 </run</usr/bin/env; 2"},
		"a script's script":         {entry("/a"), [][]file{{bin("a", "#!/b"), bin("b", "#!/c"), bin("c", arm64)}}, "c@0 arm64 </a</b; 0"},
		"scripts in a circle":       {entry("/a"), [][]file{{bin("a", "#!/a")}}, "0"},
		"no interpreter":            {entry("/a"), [][]file{{bin("a", "#!/bin/zsh")}}, "/bin/zsh is not in the image; 1"},
		"a launcher":                {entry("/tini", "-g", "--", "/app", "x"), [][]file{{bin("app", arm64)}, {bin("tini", amd64)}}, "tini@1 amd64; app@0 arm64 </tini; 1"},
		"a launcher with a user":    {entry("/gosu", "root", "/app"), [][]file{{bin("app", arm64), bin("gosu", amd64)}}, "gosu@0 amd64; app@0 arm64 </gosu; 0"},
		"a shell form":              {Start{Cmd: []string{"/bin/sh", "-c", "X=1 exec /app --flag"}}, [][]file{base, {bin("app", arm64)}}, "usr/bin/sh@0 amd64; app@1 arm64 </usr/bin/sh; 1"},
		"a line of shell":           {Start{Cmd: []string{"/bin/sh", "-c", "cd /x && ./app"}}, [][]file{base}, "usr/bin/sh@0 amd64; 0"},
		"nothing":                   {Start{}, [][]file{base}, "the image names no program to start; 0"},
		"a text":                    {entry("/a"), [][]file{{bin("a", "hello")}}, "/a is neither a program nor a script; 0"},
		"missing":                   {entry("app"), [][]file{base}, "app is not in the image; 1"},
		"a folder":                  {entry("/d"), [][]file{{{Name: "d/", Dir: true}}}, "/d is not in the image; 1"},
		"Windows":                   {Start{Entrypoint: []string{`C:\App\Run.exe`}, Windows: true}, [][]file{{bin("Files/app/run.EXE", imagetest.PE(0x8664))}}, "files/app/run.exe@0 amd64; 0"},
		"Windows' PATH":             {Start{Cmd: []string{"cmd", "/c"}, Windows: true}, [][]file{{bin("Files/Windows/System32/cmd.exe", imagetest.PE(0x8664))}}, "files/windows/system32/cmd.exe@0 amd64; 1"},
		"Windows' working folder":   {Start{Cmd: []string{`bin\x`}, WorkingDir: `C:\srv`, Windows: true}, [][]file{{bin("Files/srv/bin/x.exe", imagetest.PE(0xaa64))}}, "files/srv/bin/x.exe@0 arm64; 0"},
	} {
		if got := start(t, c.start, c.layers...); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestInPath(t *testing.T) {
	layers := [][]file{
		{{Name: "bin", Link: "usr/bin"}, bin("usr/bin/a", amd64), bin("usr/bin/gone", amd64), bin("usr/lib/test.data", amd64), {Name: "usr/bin/b", Body: amd64}},
		{bin("usr/bin/a", arm64), {Name: "usr/bin/.wh.gone"}, bin("srv/app", amd64)},
	}
	tree := NewTree(2, false)
	for n := 1; n >= 0; n-- {
		tree.Begin()
		if err := Scan(bytes.NewReader(imagetest.Tar(layers[n])), func(e Entry) bool { tree.Add(e); return true }); err != nil {
			t.Fatal(err)
		}
		tree.End()
	}
	var got []string
	for _, f := range tree.InPath(Start{WorkingDir: "/srv"}) {
		got = append(got, fmt.Sprintf("%s@%d %s", f.Path, f.Layer, f.File.Machine.Arch))
	}
	if d := cmp.Diff([]string{"srv/app@0 amd64", "usr/bin/a@0 arm64"}, got); d != "" {
		t.Error(d)
	}
}

func TestScanCompressions(t *testing.T) {
	plain := imagetest.Tar([]file{bin("app", arm64), {Name: "big", Body: strings.Repeat("x", 1<<20)}})
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	half := len(plain) / 2
	for name, b := range map[string][]byte{
		"none": plain, "gzip": imagetest.Gzip(plain), "zstd": z.EncodeAll(plain, nil),
		"gzip in members, as eStargz":             append(imagetest.Gzip(plain[:half]), imagetest.Gzip(plain[half:])...),
		"zstd after a skippable, as zstd:chunked": append([]byte("\x50\x2a\x4d\x18\x02\x00\x00\x00hi"), z.EncodeAll(plain, nil)...),
	} {
		var got []string
		err := Scan(bytes.NewReader(b), func(e Entry) bool {
			got = append(got, e.Path+" "+e.File.Machine.Arch)
			return true
		})
		if d := cmp.Diff([]string{"app arm64", "big "}, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, d)
		}
		if err := Scan(bytes.NewReader(b[:len(b)/3]), func(Entry) bool { return true }); err == nil {
			t.Errorf("%s: a layer that is cut off is read without an error", name)
		}
	}
}

// What is wanted is found without reading the rest.
func TestScanReadsAPrefix(t *testing.T) {
	noise := make([]byte, 8<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 7)
	}
	r := bytes.NewReader(imagetest.Gzip(imagetest.Tar([]file{bin("app", arm64), {Name: "big", Body: string(noise)}})))
	size := r.Size()
	if err := Scan(r, func(Entry) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if read := size - int64(r.Len()); read > 64<<10 {
		t.Errorf("%d of %d bytes were read", read, size)
	}
}

func FuzzIdentify(f *testing.F) {
	for _, s := range []string{amd64, imagetest.PE(0x14c), "#!/bin/sh -e\n", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file := Identify(b[:min(len(b), HeadSize)])
		switch {
		case file.Kind == Binary && (file.Machine.Format == "" || file.Machine.Arch == ""):
			t.Errorf("a program for nothing: %+v", file)
		case file.Kind == Script && len(file.Words) == 0:
			t.Error("a script without an interpreter")
		}
	})
}

// A layer may hold anything; it is read or refused, and the tree stays one in
// which every question has an answer.
func FuzzScan(f *testing.F) {
	f.Add(imagetest.Tar([]file{bin("app", arm64), {Name: "a", Link: "../../b"}, {Name: ".wh.x"}, {Name: "h", Hard: "app"}}))
	f.Add(imagetest.Gzip(imagetest.Tar([]file{bin("app", "#!/a")})))
	f.Fuzz(func(t *testing.T, b []byte) {
		tree := NewTree(1, false)
		tree.Begin()
		n := 0
		err := Scan(bytes.NewReader(b), func(e Entry) bool {
			if strings.HasPrefix(e.Path, "/") || strings.Contains("/"+e.Path+"/", "/../") {
				t.Errorf("path %q", e.Path)
			}
			tree.Add(e)
			n++
			return n < 1000
		})
		if err != nil {
			return
		}
		tree.End()
		for _, name := range []string{"/app", "app", "/a", "./h"} {
			if _, settled := tree.Start(Start{Entrypoint: []string{name, "--", "x"}}); !settled {
				t.Errorf("%s is not settled by a tree that is complete", name)
			}
		}
		tree.InPath(Start{})
	})
}
