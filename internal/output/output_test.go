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
	"github.com/polyarch/polyarch/internal/flagset"
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

// options are what the flags say.
func options(t *testing.T, argv ...string) *Options {
	t.Helper()
	var o Options
	fs := flagset.New("x")
	o.Register(fs)
	if _, _, err := fs.Parse(argv); err != nil {
		t.Fatal(err)
	}
	return &o
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
	o := options(t, "--result", "platforms="+p("s"), "--result", "platforms[*]="+p("l"), "--result", "note="+p("n"), "--github", "--dotenv", p("env"))
	var out bytes.Buffer
	w := World{getenv, &out}
	if err := o.Check(specs, w); err != nil {
		t.Fatal(err)
	}
	if err := o.Write(report(), w); err != nil {
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
	if err := options(t, "--json").Write(report(), World{getenv, &out}); err != nil || out.String() != "{\n  \"count\": 2\n}\n" {
		t.Errorf("JSON %q, %v", out.String(), err)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	none := World{Getenv: func(string) string { return "" }}
	for _, c := range []struct {
		argv []string
		want string
	}{
		{[]string{"--result", "platform=x"}, `there is no result "platform"; there are platforms, image-digest, note`},
		{[]string{"--result", "platforms"}, `"platforms" is not NAME=PATH`},
		{[]string{"--result", "note[*]=x"}, "note is not a list"},
		{[]string{"--result", "note=x", "--result", "platforms=x"}, "same file"},
		{[]string{"--result", "note=x", "--result", "platforms=./x"}, "same file"},
		{[]string{"--result", "note=" + dir + "/x", "--result", "platforms=" + dir + "/link/x"}, "same file"},
		{[]string{"--github"}, "GITHUB_OUTPUT is not set"},
	} {
		err := options(t, c.argv...).Check(specs, none)
		if err == nil || !strings.Contains(err.Error(), c.want) || exit.CodeOf(err) != exit.Usage {
			t.Errorf("%q: %v, want %q", c.argv, err, c.want)
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
	o := options(t, map[string][]string{
		"result": {"--result", "platforms=" + filepath.Join(dir, "ok"), "--result", "note=" + filepath.Join(dir, "r")},
		"github": {"--github", "--result", "platforms=" + filepath.Join(dir, "ok")},
		"dotenv": {"--dotenv", filepath.Join(dir, "env")},
	}[adapter]...)
	r := report()
	r.Results[2].Text = v
	var out bytes.Buffer
	if err := o.Write(r, World{getenv, &out}); err == nil {
		t.Errorf("--%s took %.60q", adapter, v)
	}
	if e, _ := os.ReadDir(dir); len(e) != 0 || out.Len() != 0 {
		t.Errorf("--%s with %.60q left %v, stdout %q", adapter, v, e, out.String())
	}
}

func TestFileThatCannotBeWritten(t *testing.T) {
	dir, getenv := env(t)
	o := options(t, "--result", "platforms="+filepath.Join(dir, "ok"), "--result", "note="+filepath.Join(dir, "no", "r"))
	var out bytes.Buffer
	err := o.Write(report(), World{getenv, &out})
	if e, _ := os.ReadDir(dir); err == nil || len(e) != 0 || out.Len() != 0 {
		t.Errorf("%v left %v, stdout %q", err, e, out.String())
	}
	getenv = func(string) string { return filepath.Join(dir, "no", "file") }
	if err := options(t, "--github").Write(report(), World{getenv, &out}); err == nil || !strings.Contains(err.Error(), "GITHUB_OUTPUT") || out.Len() != 0 {
		t.Errorf("GITHUB_OUTPUT that cannot be written: %v, stdout %q", err, out.String())
	}
}

func TestTextIsNoWorkflowCommand(t *testing.T) {
	_, getenv := env(t)
	r := report()
	r.Text = "::error::x\n  ##[group]y\nfine ::error::\n\x1b[2J"
	var out bytes.Buffer
	if err := options(t, "--github").Write(r, World{getenv, &out}); err != nil {
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
	if err := options(t, "--github").Write(r, World{getenv, &bytes.Buffer{}}); err != nil {
		t.Fatal(err)
	}
	if s := read(t, filepath.Join(dir, "GITHUB_STEP_SUMMARY")); len(s) > githubSummaryBytes || !strings.Contains(s, "…cut") {
		t.Errorf("summary of %d bytes", len(s))
	}
}

// Two outputs under two names of one file would leave one of them.
func TestOneFileIsWrittenOnce(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	none := func(string) string { return "" }
	for _, argv := range [][]string{{"--result", "note=x", "--dotenv", "./x"}, {"--dotenv", "y/../report.json"}} {
		r := report()
		r.Files = map[string][]byte{"report.json": nil}
		var out bytes.Buffer
		if err := options(t, argv...).Write(r, World{none, &out}); exit.CodeOf(err) != exit.Usage || out.Len() > 0 {
			t.Errorf("%q: %v, standard output %q", argv, err, out.String())
		}
		if e, _ := os.ReadDir(dir); len(e) > 0 {
			t.Errorf("%q left %v", argv, e)
		}
	}
}

func TestResultsFitTekton(t *testing.T) {
	plain := func(string) ([]byte, error) { return []byte("/tekton/bin/entrypoint\x00-wait_file\x00x\x00"), nil }
	file := func(path string, n int) File { return File{path, bytes.Repeat([]byte("x"), n)} }
	// [{"key":"StartedAt","value":"2006-01-02T15:04:05.000Z","type":3},{"key":"a","value":"…","type":1}]
	most := terminationBytes - 97 // the rest of it
	if err := fitsTermination([]File{file("/tekton/results/a", most)}, plain); err != nil {
		t.Error(err)
	}
	err := fitsTermination([]File{file("/tekton/results/a", most-40), file("/tekton/steps/step-x/results/b", 41)}, plain)
	if err == nil || !strings.Contains(err.Error(), "4096") || len(exit.HintsOf(err)) != 2 {
		t.Error(err)
	}
	if err := fitsTermination([]File{file("/tekton/results/a", most+1)}, plain); err == nil {
		t.Error("a byte too much was taken")
	}
	if err := fitsTermination([]File{file("/home/me/a", 9000)}, plain); err != nil {
		t.Error(err)
	}
	for _, argv := range []string{"entrypoint\x00-result_from\x00sidecar-logs\x00", "entrypoint\x00-compress_termination_message=true\x00"} {
		if err := fitsTermination([]File{file("/tekton/results/a", 9000)}, func(string) ([]byte, error) { return []byte(argv), nil }); err != nil {
			t.Errorf("%q: %v", argv, err)
		}
	}
}

// A command that comes in pieces, as a pipe cuts them, is one all the same.
func TestFilterJoinsPieces(t *testing.T) {
	for _, pieces := range [][]string{{"#", "#", "[set-output name=x;]y\n"}, {" :", ":error::x\nz"}, {"a\r::", "error::b\n"}, {strings.Repeat("x", maxHeld), "##", "[group]"}} {
		var out bytes.Buffer
		f := NewFilter(&out, consoles{githubConsole{}})
		for _, p := range pieces {
			if n, err := f.Write([]byte(p)); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		f.Flush()
		for _, l := range strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' || r == '\r' }) {
			if strings.HasPrefix(strings.TrimSpace(l), "::") || strings.Contains(l, "##[") {
				t.Errorf("%.40q: the line %q is a command", pieces, l)
			}
		}
		if got := strings.NewReplacer(zeroWidth, "", "\n", "").Replace(out.String()); got != strings.ReplaceAll(strings.Join(pieces, ""), "\n", "") {
			t.Errorf("%.40q became %.40q", pieces, got)
		}
	}
}
