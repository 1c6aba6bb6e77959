package program

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// jar makes one of names and contents, as Java's own tool does: sizes follow.
func jar(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for n := 0; n < len(files); n += 2 {
		f, err := w.Create(files[n])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, files[n+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAll(t *testing.T) {
	lib := func(name, body string) file { return file{Name: name, Body: body} }
	for name, c := range map[string]struct {
		files   []file
		refused []string
		notes   []string
	}{
		"a wheel": {[]file{lib("usr/lib/python3/site-packages/numpy/core/_multiarray.cpython-312-x86_64-linux-gnu.so", amd64)},
			[]string{"_multiarray.cpython-312-x86_64-linux-gnu.so"}, nil},
		"a wheel for both": {[]file{lib("p/x.cpython-312-x86_64-linux-gnu.so", amd64), lib("p/x.cpython-312-aarch64-linux-gnu.so", arm64)},
			nil, []string{"p/x.cpython-312-x86_64-linux-gnu.so"}},
		"another wheel's": {[]file{lib("p/x.cpython-312-x86_64-linux-gnu.so", amd64), lib("p/y.cpython-312-aarch64-linux-gnu.so", arm64)},
			[]string{"p/x.cpython"}, nil},
		"a wheel's own libraries": {[]file{lib("site-packages/numpy.libs/libopenblas-r0.so", amd64)}, []string{"libopenblas"}, nil},
		"prebuilds":               {[]file{lib("n/prebuilds/linux-x64/node.napi.node", amd64), lib("n/prebuilds/linux-arm64/node.napi.node", arm64), lib("n/prebuilds/darwin-x64+arm64/node.napi.node", "\xcf\xfa\xed\xfe\x0c\x00\x00\x01\x00\x00\x00\x00\x08\x00\x00\x00")}, nil, []string{"darwin", "linux-x64"}},
		"prebuilds without ours":  {[]file{lib("n/prebuilds/linux-x64/node.napi.node", amd64), lib("n/prebuilds/win32-x64/node.napi.node", imagetest.PE(0x8664))}, []string{"linux-x64", "win32-x64"}, nil},
		"esbuild":                 {[]file{bin("node_modules/@esbuild/linux-x64/bin/esbuild", amd64), bin("node_modules/@esbuild/linux-arm64/bin/esbuild", arm64), bin("node_modules/@esbuild/win32-x64/esbuild.exe", imagetest.PE(0x8664))}, nil, []string{"linux-x64", "win32-x64"}},
		"esbuild without ours":    {[]file{bin("node_modules/@esbuild/linux-x64/bin/esbuild", amd64)}, []string{"esbuild"}, nil},
		"a package's own name":    {[]file{lib("node_modules/@img/sharp-linux-x64/lib/sharp-linux-x64.node", amd64), lib("node_modules/@img/sharp-linux-arm64/lib/sharp-linux-arm64.node", arm64)}, nil, []string{"linux-x64"}},
		".node":                   {[]file{lib("node_modules/bcrypt/build/Release/bcrypt.node", amd64)}, []string{"bcrypt.node"}, nil},
		"a jar":                   {[]file{lib("app/sqlite.jar", jar(t, "a.class", "x", "org/sqlite/native/Linux/x86_64/libsqlitejdbc.so", amd64, "org/sqlite/native/Linux/aarch64/libsqlitejdbc.so", arm64))}, nil, []string{"x86_64"}},
		"a jar without ours":      {[]file{lib("app/sqlite.jar", jar(t, "org/sqlite/native/Linux/x86_64/libsqlitejdbc.so", amd64))}, []string{"app/sqlite.jar!/org/sqlite/native/Linux/x86_64/libsqlitejdbc.so"}, nil},
		"a jar in a jar":          {[]file{lib("app.jar", jar(t, "BOOT-INF/lib/n.jar", jar(t, "META-INF/native/libnetty_x86_64.so", amd64)))}, []string{"app.jar!/BOOT-INF/lib/n.jar!/META-INF/native/libnetty_x86_64.so"}, nil},
		"not a jar":               {[]file{lib("app.jar", "hello")}, nil, []string{"app.jar"}},
		"a cross toolchain":       {[]file{lib("usr/x86_64-linux-gnu/lib/libc.so.6", amd64), lib("opt/x/sysroot/lib/libc.so", amd64)}, nil, []string{"opt/x/sysroot", "usr/x86_64"}},
		"another's plugin":        {[]file{lib("usr/lib/plugins/x.so", amd64)}, []string{"usr/lib/plugins/x.so"}, nil},
		"a library of 386":        {[]file{lib("usr/lib/i.so", imagetest.ELF("386", 0))}, []string{"i.so"}, nil},
		"hidden by a whiteout":    {nil, nil, nil},
		"an installer of pip":     {[]file{lib("usr/lib/python3/dist-packages/pip/_vendor/distlib/t64.exe", imagetest.PE(0x8664))}, nil, []string{"t64.exe"}},
	} {
		v := rootfs.NewView(1, false)
		l, err := (&rootfs.Reader{Budget: &rootfs.Budget{}, Jars: true}).Read(bytes.NewReader(imagetest.Tar(c.files)))
		if err != nil {
			t.Fatal(err)
		}
		v.Push(l)
		refused, notes := All(v, platform.Platform{OS: "linux", Arch: "arm64"})
		for what, both := range map[string][2][]string{"refused": {refused, c.refused}, "notes": {notes, c.notes}} {
			got, want := both[0], both[1]
			if len(got) != len(want) {
				t.Errorf("%s: %s: %q, want %q", name, what, got, want)
				continue
			}
			for n := range want {
				if !strings.Contains(got[n], want[n]) {
					t.Errorf("%s: %s: %q, want %q", name, what, got[n], want[n])
				}
			}
		}
	}
}

// The same fault a thousand times is reported a few times.
func TestAllIsShort(t *testing.T) {
	var files []file
	for n := range 1000 {
		files = append(files, bin(fmt.Sprintf("opt/x/%d.so", n), amd64))
	}
	v := rootfs.NewView(1, false)
	l, err := (&rootfs.Reader{Budget: &rootfs.Budget{}}).Read(bytes.NewReader(imagetest.Tar(files)))
	if err != nil {
		t.Fatal(err)
	}
	v.Push(l)
	if refused, _ := All(v, platform.Platform{OS: "linux", Arch: "arm64"}); len(refused) != maxListed+1 || refused[maxListed] != "/opt/x has 997 more files of another platform" {
		t.Errorf("got %q", refused)
	}
}

func FuzzJar(f *testing.F) {
	f.Add([]byte("PK\x03\x04"), "linux-x64")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		_, err := (&rootfs.Reader{Budget: &rootfs.Budget{}, Jars: true}).Read(bytes.NewReader(imagetest.Tar([]file{{Name: "a.jar", Body: string(b)}})))
		if err != nil {
			t.Error(err)
		}
		places(name)
		places("a/" + name + "/b.so")
	})
}
