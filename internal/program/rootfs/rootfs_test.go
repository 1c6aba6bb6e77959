package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/polyarch/polyarch/internal/imagetest"
)

type file = imagetest.File

func bin(name, body string) file { return file{Name: name, Body: body, Mode: 0o755} }

func read(t *testing.T, b []byte) (*Layer, error) {
	t.Helper()
	return (&Reader{Budget: &Budget{}}).Read(bytes.NewReader(b))
}

// view makes the view of layers, given from the base up.
func view(t *testing.T, layers ...[]file) *View {
	t.Helper()
	v := NewView(len(layers), false)
	for n := len(layers) - 1; n >= 0; n-- {
		l, err := read(t, imagetest.Tar(layers[n]))
		if err != nil {
			t.Fatal(err)
		}
		v.Push(l)
	}
	return v
}

func TestFind(t *testing.T) {
	one, two := "#!/one\n", "#!/two\n"
	base := []file{{Name: "bin", Link: "usr/bin"}, bin("usr/bin/sh", one), bin("d/app", one), {Name: "plain/x", Body: "x"}}
	for name, c := range map[string]struct {
		path   string
		layers [][]file
		want   string
	}{
		"absolute":                        {"/usr/bin/sh", [][]file{base}, "usr/bin/sh@0 /one"},
		"a link of a folder":              {"/bin/sh", [][]file{base, {bin("usr/bin/sh", two)}}, "usr/bin/sh@1 /two"},
		"a link below a folder above":     {"/bin/tool", [][]file{base, {{Name: "usr/", Dir: true}, {Name: "usr/bin/", Dir: true}, bin("usr/bin/tool", two)}}, "usr/bin/tool@1 /two"},
		"a chain of links":                {"/a", [][]file{{{Name: "a", Link: "b/../c"}, {Name: "b/", Dir: true}, {Name: "c", Link: "/d/e"}, bin("d/e", one)}}, "d/e@0 /one"},
		"links come before ..":            {"/a/../x", [][]file{{{Name: "a", Link: "d/e"}, {Name: "d/e/", Dir: true}, bin("d/x", one), bin("x", two)}}, "d/x@0 /one"},
		"links in a circle":               {"/a", [][]file{{{Name: "a", Link: "b"}, {Name: "b", Link: "a"}}}, "too many levels of symbolic links"},
		"a link out of the root":          {"/a", [][]file{{{Name: "a", Link: "../../../b"}, bin("b", one)}}, "b@0 /one"},
		"a hard link":                     {"/b", [][]file{{bin("a", one), {Name: "b", Hard: "a", Mode: 0o755}}}, "b@0 /one"},
		"a hard link to below":            {"/b", [][]file{{bin("a", one)}, {{Name: "b", Hard: "a", Mode: 0o755}}}, "b@0 /one"},
		"a whiteout":                      {"/d/app", [][]file{base, {{Name: "d/.wh.app"}}}, "no such file or directory"},
		"a whiteout of its folder":        {"/d/app", [][]file{base, {{Name: ".wh.d"}}}, "no such file or directory"},
		"a whiteout, and there again":     {"/d/app", [][]file{base, {{Name: ".wh.d"}, bin("d/app", two)}}, "d/app@1 /two"},
		"an opaque folder":                {"/d/app", [][]file{base, {{Name: "d/.wh..wh..opq"}, {Name: "d/other"}}}, "no such file or directory"},
		"opaque, and there again":         {"/d/app", [][]file{base, {{Name: "d/.wh..wh..opq"}, bin("d/app", two)}}, "d/app@1 /two"},
		"a file where a folder was":       {"/d/app", [][]file{base, {{Name: "d", Body: "x"}}}, "not a directory"},
		"a plain file hides":              {"/d/app", [][]file{base, {{Name: "d/app", Body: "x"}}}, "d/app@1 "},
		"a folder where a file was":       {"/x", [][]file{{bin("x", one)}, {{Name: "x/", Dir: true}}}, "x@1 folder"},
		"a folder of plain files":         {"/plain", [][]file{base}, "plain@0 folder"},
		"twice in a layer":                {"/x", [][]file{{bin("x", one), bin("x", two)}}, "x@0 /two"},
		"twice, the last one plain":       {"/x", [][]file{{bin("x", one), {Name: "x", Body: "x"}}}, "x@0 "},
		"twice, the first one plain":      {"/x", [][]file{{{Name: "x", Body: "x"}, bin("x", one)}}, "x@0 /one"},
		"a folder implied above a link":   {"/bin/sh", [][]file{base, {bin("bin/tool", two)}}, "/bin is a link in one layer and a folder without an entry in a layer above, which runtimes treat differently"},
		"a whiteout below a link":         {"/bin/other", [][]file{append(base, bin("usr/bin/other", one)), {{Name: "bin/.wh.sh"}}}, "/bin is a link in one layer and a folder without an entry in a layer above, which runtimes treat differently"},
		"what such a folder has":          {"/bin/tool", [][]file{base, {bin("bin/tool", two)}}, "bin/tool@1 /two"},
		"a folder with an entry, instead": {"/bin/sh", [][]file{base, {{Name: "bin/", Dir: true}, bin("bin/tool", two)}}, "no such file or directory"},
		"missing":                         {"/none/x", [][]file{base}, "no such file or directory"},
		"the root":                        {"/", [][]file{base}, "@0 folder"},
		"a slash at the end of a file":    {"/d/app/", [][]file{base}, "not a directory"},
	} {
		f, err := view(t, c.layers...).Find(c.path)
		got := fmt.Sprintf("%s@%d %s", f.Path, len(c.layers)-1-f.Layer, func() string {
			if f.Entry != nil && f.Kind == Folder {
				return "folder"
			}
			if f.Entry == nil {
				return ""
			}
			return f.File.Shebang.Interpreter
		}())
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What lower layers may still decide is not decided before they are read.
func TestBelow(t *testing.T) {
	v := NewView(2, false)
	top, err := read(t, imagetest.Tar([]file{bin("app", "#!/a\n"), {Name: "etc/", Dir: true}, {Name: "x/.wh..wh..opq"}}))
	if err != nil {
		t.Fatal(err)
	}
	v.Push(top)
	for p, want := range map[string]error{"/app": nil, "/bin/app": ErrBelow, "/etc/a": ErrBelow, "/x/a": ErrMissing, "/app/x": ErrNoDir} {
		if _, err := v.Find(p); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", p, err, want)
		}
	}
}

func TestCompressions(t *testing.T) {
	plain := imagetest.Tar([]file{bin("app", "#!/a\n"), {Name: "big", Body: strings.Repeat("x", 1<<20)}})
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
		l, err := read(t, b)
		if err != nil || len(l.entries)+len(l.plain) != 2 {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := read(t, b[:len(b)/3]); err == nil {
			t.Errorf("%s: a layer that is cut off is read without an error", name)
		}
	}
}

// What cannot be read is reported as Unreadable.
func TestUnreadable(t *testing.T) {
	var wide bytes.Buffer
	long, err := zstd.NewWriter(&wide, zstd.WithWindowSize(64<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // a stream that is longer than a block says how large its window is
		if _, err := long.Write(bytes.Repeat([]byte("hello "), 100<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := long.Close(); err != nil {
		t.Fatal(err)
	}
	names := []file{}
	for n := range 3 {
		names = append(names, file{Name: fmt.Sprint(n) + strings.Repeat("x", maxPath)})
	}
	for name, b := range map[string][]byte{
		"xz": []byte("\xfd7zXZ\x00xxxxxxxxx"), "bzip2": []byte("BZh91AYxxxxxxxxxxx"), "text": bytes.Repeat([]byte("hello "), 1000),
		"long names": imagetest.Tar(names), "a large window": wide.Bytes(),
	} {
		_, err := read(t, b)
		var u *Unreadable
		if !errors.As(err, &u) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A bomb of names ends when the budget does.
func TestNameBudget(t *testing.T) {
	var files []file
	for n := range 1 << 10 {
		files = append(files, bin(fmt.Sprintf("%05d%s", n, strings.Repeat("/x", 2000)), ""))
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = read(t, z.EncodeAll(imagetest.Tar(files), nil))
	var u *Unreadable
	if !errors.As(err, &u) || u.Why != "it has too many files to be looked at" {
		t.Errorf("got %v", err)
	}
}

// A layer may hold anything; it is read or refused, and every question about
// it has an answer.
func FuzzLayer(f *testing.F) {
	f.Add(imagetest.Tar([]file{bin("app", imagetest.ELF("arm64", 0)), {Name: "a", Link: "../../b"}, {Name: ".wh.x"}, {Name: "h", Hard: "app"}}))
	f.Add(imagetest.Gzip(imagetest.Tar([]file{bin("app", "#!/a")})))
	f.Add(imagetest.Tar([]file{{Name: "a", Hard: "b"}, {Name: "b", Hard: "a"}, {Name: "d/.wh..wh..opq"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := (&Reader{Budget: &Budget{}}).Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		v := NewView(2, false)
		v.Push(l)
		v.Push(l)
		for _, p := range []string{"/app", "app", "/a", "./h", "/a/../b", "/d/x"} {
			if _, err := v.Find(p); errors.Is(err, ErrBelow) {
				t.Errorf("%s is not final in a view that is complete", p)
			}
		}
		v.Each(func(f Found) {
			if strings.HasPrefix(f.Path, "/") || strings.Contains("/"+f.Path+"/", "/../") {
				t.Errorf("path %q", f.Path)
			}
		})
	})
}
