//go:build unix

package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
)

const podText = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: hello\n"

// TestDeepNesting: brackets without end are an error, not an overflow of the stack.
func TestDeepNesting(t *testing.T) {
	for _, in := range []string{
		`{"kind":"Pod","apiVersion":"v1","containers":` + strings.Repeat("[", 1_500_000),
		`{"kind":"Pod","apiVersion":"v1","containers":` + strings.Repeat(`{"a":`, 300_000),
		"kind: Pod\napiVersion: v1\ncontainers: " + strings.Repeat("[", 1_500_000),
		"kind: Pod\napiVersion: v1\ncontainers:\n" + strings.Repeat("- ", 500_000),
	} {
		if out, errs, code := inject(t, in, "--offline"); code != 1 || out != "" || !strings.Contains(errs, "error: reading standard input: ") {
			t.Errorf("%.60s…: code %d\n%.300s", in, code, errs)
		}
	}
}

// TestBreaksOfYAML11: a key that is folded at any of YAML 1.1's line breaks is read.
func TestBreaksOfYAML11(t *testing.T) {
	for _, b := range []string{"\n", "\r\n", "\r", "\u0085", "\u2028", "\u2029"} {
		in := "apiVersion: v1\nkind: Pod\nspec:\n  ? \"contain\\" + b + "   ers\"\n  : [{image: hello}]\n"
		if out, errs, code := inject(t, in, "--offline", "--image", "hello=;linux/arm64", "--check"); code == 0 {
			t.Errorf("%q was passed over: %s%s", b, out, errs)
		}
	}
}

// TestManifestsAreBounded: documents that would take more memory than their
// size allows are refused, and those that are read take it for a line once.
func TestManifestsAreBounded(t *testing.T) {
	const start = "{apiVersion: v1,kind: Pod,spec: {containers: [{image: hello}],x: ["
	for in, want := range map[string]string{
		start + strings.Repeat("{},", 1_000_000) + "1]}}":                                 "more than 400000 values",
		start + `"` + strings.Repeat("x", 5<<20) + `"]}}`:                                 "more than 4 MiB",
		start + strings.Repeat("{},", 190_000) + "1]}}":                                   "",
		"kind: Pod\napiVersion: v1\nspec: {containers:\n" + strings.Repeat("\n", 500_000): "more than 400000 values",
	} {
		_, errs, code := inject(t, in, "--offline", "--image", "hello=;linux/arm64")
		if (code == 0) != (want == "") || !strings.Contains(errs, want) {
			t.Errorf("%.90s…: code %d\n%.300s", in, code, errs)
		}
	}
}

// TestWriteManyFiles needs more files than may be open at a time.
func TestWriteManyFiles(t *testing.T) {
	const count = 600
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	low := old
	low.Cur = 200
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old)
	dir := t.TempDir()
	for i := range count {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(podText), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, code := inject(t, "", "--offline", "--quiet", "--image", "hello=;linux/arm64", "-w", dir)
	if code != 0 || strings.Count(out, "\n") != count {
		t.Errorf("code %d, %d files\n%.500s", code, strings.Count(out, "\n"), errs)
	}
}

// TestWriteKeepsNamesAndBits: a file keeps its other names and its set-group-ID bit.
func TestWriteKeepsNamesAndBits(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.txt")
	if err := os.WriteFile(a, []byte(podText), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(a, 0o640|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(a, b); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := inject(t, "", "--offline", "--image", "hello=;linux/arm64", "-w", a); code != 0 {
		t.Fatal(errs)
	}
	info, err := os.Stat(a)
	other, err2 := os.ReadFile(b)
	if err != nil || err2 != nil || info.Mode()&fs.ModeSetgid == 0 || !strings.Contains(string(other), "arm64") {
		t.Errorf("mode %v, the other name has %q", info.Mode(), other)
	}
}

// TestPartlyWritten: a file that cannot be put in place ends the run, which says
// what was written before.
func TestPartlyWritten(t *testing.T) {
	dir := t.TempDir()
	var staged sink
	staged.write = true
	for _, name := range []string{"a.yaml", "b.yaml"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(podText), 0o644); err != nil {
			t.Fatal(err)
		}
		in := &injector{images: &catalogue{named: map[string]*build{repository("hello"): {platforms: builtPlatforms}}}}
		if err := in.file(t.Context(), source{name: name, path: path}, &staged, &record{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "b.yaml"), []byte("# theirs\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := staged.commit()
	if err == nil || !strings.Contains(err.Error(), "it was changed in the meantime") {
		t.Fatal(err)
	}
	hints := strings.Join(exit.HintsOf(err), "\n")
	if !strings.Contains(hints, "these were written before: a.yaml") {
		t.Error(hints)
	}
	staged.abort()
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// A long list takes no more memory than the same objects one by one.
func TestMemoryDoesNotGrowWithTheList(t *testing.T) {
	const items = 8_000
	text := strings.Repeat("a line of text that takes some room ", 100)
	for name, list := range map[string]struct{ head, item, tail string }{
		"JSON": {`{"apiVersion":"v1","items":[`, `{"kind":"Pod","apiVersion":"v1","metadata":{"annotations":{"a":"` + text + `"}},"spec":{"containers":[{"image":"hello"}]}}`, `],"kind":"List"}`},
		"YAML": {"apiVersion: v1\nitems:\n", "- kind: Pod\n  apiVersion: v1\n  metadata:\n    annotations:\n      a: " + text + "\n  spec:\n    containers:\n    - image: hello\n", "kind: List\n"},
	} {
		in := &listFlood{head: list.head, item: list.item, tail: list.tail, left: items, comma: name == "JSON"}
		out := &matchCounter{word: "arm64"}
		code := program().Exec(t.Context(), &command.Env{
			Stdin: in, Stdout: out, Stderr: io.Discard, Getenv: func(string) string { return "" },
		}, []string{"--quiet", "--offline", "--image", "hello=;linux/arm64"})
		if code != 0 || out.n != items {
			t.Errorf("%s: code %d, %d items were changed", name, code, out.n)
		}
		if in.peak > 48<<20 {
			t.Errorf("%s: %d MB of memory were in use", name, in.peak>>20)
		}
	}
}

// A listFlood is a long list that is made as it is read.
type listFlood struct {
	head, item, tail string
	left             int
	comma, begun     bool
	ended            bool
	rest             strings.Reader
	reads            int
	peak             uint64
}

func (f *listFlood) Read(p []byte) (int, error) {
	if f.reads++; f.reads%64 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		f.peak = max(f.peak, m.HeapAlloc)
	}
	if f.rest.Len() == 0 {
		switch {
		case !f.begun:
			f.begun = true
			f.rest.Reset(f.head)
		case f.left > 0:
			f.left--
			next := f.item
			if f.comma && f.left > 0 {
				next += ","
			}
			f.rest.Reset(next)
		case !f.ended:
			f.ended = true
			f.rest.Reset(f.tail)
		default:
			return 0, io.EOF
		}
	}
	return f.rest.Read(p)
}

// A matchCounter counts a word in what is written, over the ends of writes too.
type matchCounter struct {
	word, rest string
	n          int
}

func (c *matchCounter) Write(p []byte) (int, error) {
	text := c.rest + string(p)
	c.n += strings.Count(text, c.word)
	c.rest = text[max(0, len(text)-len(c.word)+1):]
	return len(p), nil
}
