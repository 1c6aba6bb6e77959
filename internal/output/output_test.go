package output

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/exit"
)

var specs = []Spec{{Name: "platforms", List: true}, {Name: "image-digest"}, {Name: "note"}}

func report() Report {
	return Report{
		Results: []Result{
			{Name: "platforms", Text: "linux/amd64,linux/arm64", List: []string{"linux/amd64", "linux/arm64"}},
			{Name: "image-digest", Text: "sha256:00"},
			{Name: "note"},
		},
		Text: "linux/amd64,linux/arm64\n", JSON: map[string]int{"count": 2}, Summary: "| a |\n",
	}
}

// env is a GitHub step's environment in a folder of its own.
func env(t *testing.T) (dir string, getenv func(string) string) {
	dir = t.TempDir()
	return dir, func(k string) string {
		switch k {
		case "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY":
			return filepath.Join(dir, k)
		}
		return ""
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

func TestWrite(t *testing.T) {
	dir, getenv := env(t)
	p := func(n string) string { return filepath.Join(dir, n) }
	o := Options{Files: []string{"platforms=" + p("s"), "platforms[*]=" + p("l"), "note=" + p("n")}, GitHub: true, Dotenv: p("env")}
	if err := o.Check(specs, getenv); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := o.Write(report(), &out, getenv); err != nil {
		t.Fatal(err)
	}
	d := delimiter
	want := map[string]string{
		"s": "linux/amd64,linux/arm64", "l": `["linux/amd64","linux/arm64"]`, "n": "",
		"env":                 "PLATFORMS=linux/amd64,linux/arm64\nIMAGE_DIGEST=sha256:00\n",
		"GITHUB_OUTPUT":       "platforms<<" + d + "\nlinux/amd64,linux/arm64\n" + d + "\nimage-digest<<" + d + "\nsha256:00\n" + d + "\nnote<<" + d + "\n\n" + d + "\n",
		"GITHUB_STEP_SUMMARY": "| a |\n\n",
	}
	got := map[string]string{}
	for n := range want {
		got[n] = read(t, p(n))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if out.String() != "linux/amd64,linux/arm64\n" {
		t.Errorf("stdout %q", out.String())
	}
	out.Reset()
	if err := (&Options{JSON: true}).Write(report(), &out, getenv); err != nil || out.String() != "{\n  \"count\": 2\n}\n" {
		t.Errorf("JSON %q, %v", out.String(), err)
	}
}

func TestCheck(t *testing.T) {
	none := func(string) string { return "" }
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Files: []string{"platform=x"}}, `there is no result "platform"; there are platforms, image-digest, note`},
		{Options{Files: []string{"platforms"}}, `"platforms" is not NAME=PATH`},
		{Options{Files: []string{"note[*]=x"}}, "note is no list"},
		{Options{Files: []string{"note=x", "platforms=x"}}, "same file"},
		{Options{GitHub: true}, "GITHUB_OUTPUT is not set"},
	} {
		err := c.o.Check(specs, none)
		if err == nil || !strings.Contains(err.Error(), c.want) || exit.CodeOf(err) != exit.Usage {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

// A value that could become a second output, or that one adapter cannot carry,
// fails the run before anything is written.
func TestHostileValuesWriteNothing(t *testing.T) {
	for _, v := range []string{"a\nb=c", "a\rb", "x\x1b[2J", "\u2028", "\xff"} {
		for _, flags := range []string{"result", "github", "dotenv"} {
			refused(t, v, flags)
		}
	}
	refused(t, "a"+delimiter+"b", "github")
	refused(t, strings.Repeat("x", dotenvBytes), "dotenv")
	refused(t, strings.Repeat("x", githubOutputBytes), "github")
}

func refused(t *testing.T, v, adapter string) {
	t.Helper()
	dir, getenv := env(t)
	o := Options{}
	switch adapter {
	case "result":
		o.Files = []string{"platforms=" + filepath.Join(dir, "ok"), "note=" + filepath.Join(dir, "r")}
	case "github":
		o.GitHub, o.Files = true, []string{"platforms=" + filepath.Join(dir, "ok")}
	case "dotenv":
		o.Dotenv = filepath.Join(dir, "env")
	}
	r := report()
	r.Results[2].Text = v
	var out bytes.Buffer
	if err := o.Write(r, &out, getenv); err == nil {
		t.Errorf("--%s took %.60q", adapter, v)
	}
	if e, _ := os.ReadDir(dir); len(e) != 0 || out.Len() != 0 {
		t.Errorf("--%s with %.60q left %v, stdout %q", adapter, v, e, out.String())
	}
}

func TestFileThatCannotBeWritten(t *testing.T) {
	dir, getenv := env(t)
	o := Options{Files: []string{"platforms=" + filepath.Join(dir, "ok"), "note=" + filepath.Join(dir, "no", "r")}}
	var out bytes.Buffer
	err := o.Write(report(), &out, getenv)
	if e, _ := os.ReadDir(dir); err == nil || len(e) != 0 || out.Len() != 0 {
		t.Errorf("%v left %v, stdout %q", err, e, out.String())
	}
	getenv = func(string) string { return filepath.Join(dir, "no", "file") }
	if err := (&Options{GitHub: true}).Write(report(), &out, getenv); err == nil || !strings.Contains(err.Error(), "GITHUB_OUTPUT") || out.Len() != 0 {
		t.Errorf("GITHUB_OUTPUT that cannot be written: %v, stdout %q", err, out.String())
	}
}

func TestTextIsNoWorkflowCommand(t *testing.T) {
	_, getenv := env(t)
	r := report()
	r.Text = "::error::x\n  ##[group]y\nfine ::error::\n\x1b[2J"
	var out bytes.Buffer
	if err := (&Options{GitHub: true}).Write(r, &out, getenv); err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(out.String()) {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, "::") || strings.HasPrefix(l, "##[") || strings.Contains(l, "\x1b") {
			t.Errorf("the line %q is a command", l)
		}
	}
}

func TestSummaryIsCut(t *testing.T) {
	dir, getenv := env(t)
	r := report()
	r.Summary = strings.Repeat("ü", githubSummaryBytes)
	if err := (&Options{GitHub: true}).Write(r, &bytes.Buffer{}, getenv); err != nil {
		t.Fatal(err)
	}
	if s := read(t, filepath.Join(dir, "GITHUB_STEP_SUMMARY")); len(s) > githubSummaryBytes || !strings.Contains(s, "…cut") {
		t.Errorf("summary of %d bytes", len(s))
	}
}
