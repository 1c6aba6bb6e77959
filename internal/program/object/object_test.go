package object

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/platform"
)

const eabi5 = 0x05000000

var (
	amd64 = imagetest.ELF("amd64", 0)
	arm64 = imagetest.ELF("arm64", 0)
)

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

func TestShebang(t *testing.T) {
	for text, want := range map[string]Shebang{
		"#!/bin/sh\n":                                    {Interpreter: "/bin/sh"},
		"#! /bin/sh -e x \n":                             {"/bin/sh", "-e x", true},
		"#!/bin/sh\r\n":                                  {Interpreter: "/bin/sh\r"},
		"#!/bin/sh":                                      {Interpreter: "/bin/sh"},
		"#!\t/usr/bin/env\tbash\n":                       {"/usr/bin/env", "bash", true},
		"#!" + strings.Repeat("x", 300):                  {},
		"#!/a " + strings.Repeat("x", 300):               {"/a", strings.Repeat("x", 250), true},
		"#!/" + strings.Repeat("x", 252) + "\n" + "    ": {Interpreter: "/" + strings.Repeat("x", 252)},
		"#!\n":             {},
		"#!  \n/bin/sh\n":  {},
		"#!/bin/sh\x00x\n": {Interpreter: "/bin/sh"},
	} {
		f := Identify([]byte(text))
		if f.Shebang != want || (f.Kind == Script) != (want.Interpreter != "") {
			t.Errorf("%.40q: got %+v, want %+v", text, f.Shebang, want)
		}
	}
}

// A file that is larger than the window is read as one that is not, where what
// matters is at its ends.
func TestReaderSkips(t *testing.T) {
	body := strings.Repeat("\x00", 2*window) + string(goMagic) + "\x08\x02" + strings.Repeat("\x00", 16) + "\x08go1.26.4\x14build\tGOAMD64=v3\nxxx"
	elf := imagetest.ELF("amd64", 0)
	file := elf + body
	var r Reader
	in := strings.NewReader(file)
	f, head, err := r.Read(in, int64(len(file)))
	if err != nil || f.Levels.AMD64 != 3 || f.Levels.From != "GOAMD64=v3" {
		t.Errorf("got %+v, %v", f.Levels, err)
	}
	if !bytes.Equal(head, []byte(file[:HeadSize])) {
		t.Error("the head is another one")
	}
	if _, _, err := r.Read(strings.NewReader(file[:len(file)/2]), int64(len(file))); err == nil {
		t.Error("a file that is cut off is read without an error")
	}
}

// Whatever a file says, reading it ends, and needs little memory.
func FuzzRead(f *testing.F) {
	for _, s := range []string{amd64, arm64, imagetest.ELF("arm", eabi5), imagetest.ELF("s390x", 0), imagetest.PE(0x14c), "#!/bin/sh -e\n", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe"} {
		f.Add([]byte(s))
	}
	if b, err := os.ReadFile("testdata/small.so"); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file := Read(&Content{Size: int64(len(b)), parts: []part{{0, b}}})
		switch {
		case file.Kind == Binary && (file.Machine.Format == "" || file.Machine.Arch == ""):
			t.Errorf("a program without a machine: %+v", file)
		case file.Kind == Script && file.Shebang.Interpreter == "":
			t.Error("a script without an interpreter")
		}
		if file.ELF != nil && file.ELF.Dynamic != nil {
			file.ELF.Dynamic.Has(Ref{Name: "x", Version: "y"}, true)
			file.ELF.Dynamic.IsMuslLoader()
		}
	})
}
