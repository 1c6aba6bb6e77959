package output

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever value a result has, each adapter either refuses it or carries
// exactly that value and no second one.
func FuzzResultFile(f *testing.F) {
	f.Add("linux/amd64", "a\x00b")
	f.Fuzz(func(t *testing.T, v, item string) {
		dir, getenv := env(t)
		p, l := filepath.Join(dir, "p"), filepath.Join(dir, "l")
		o := options(t, "--result", "x="+p, "--result", "x[*]="+l)
		r := Report{Results: []Result{{Name: "x", Text: v, List: []string{item}}}}
		if err := o.Write(r, World{getenv, &bytes.Buffer{}}); err != nil {
			return
		}
		if got := read(t, p); got != v {
			t.Fatalf("%q became %q", v, got)
		}
		var back []string
		if err := json.Unmarshal([]byte(read(t, l)), &back); err != nil || len(back) != 1 || back[0] != strings.ToValidUTF8(item, "\ufffd") && !strings.Contains(back[0], "\ufffd") {
			t.Fatalf("%q became %q, %v", item, back, err)
		}
	})
}

func FuzzDotenv(f *testing.F) {
	f.Add("linux/amd64\nPATH=/evil")
	f.Add(" \u00a0 ")
	f.Fuzz(func(t *testing.T, v string) {
		b, err := Dotenv([]Result{{Name: "first", Text: v}, {Name: "second", Text: "2"}})
		if err != nil {
			return
		}
		want := map[string]string{"SECOND": "2"}
		if strings.TrimSpace(v) != "" {
			want["FIRST"] = v
		}
		got := map[string]string{}
		for line := range strings.Lines(string(b)) { // as GitLab reads it
			k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			got[k] = v
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzGitHub(f *testing.F) {
	f.Add("x\n"+delimiter+"\nevil<<"+delimiter+"\n1", "::error::")
	f.Add(delimiter, "\r::stop-commands::x")
	f.Fuzz(func(t *testing.T, v, stdout string) {
		dir, getenv := env(t)
		var out bytes.Buffer
		r := Report{Results: []Result{{Name: "first", Text: v}, {Name: "second", Text: "2"}}, Text: stdout}
		if err := options(t, "--github").Write(r, World{getenv, &out}); err != nil {
			return
		}
		want := [][2]string{{"first", v}, {"second", "2"}}
		if d := cmp.Diff(want, runner(t, read(t, filepath.Join(dir, "GITHUB_OUTPUT")))); d != "" {
			t.Fatal(d)
		}
		for _, l := range strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' || r == '\r' }) {
			if l = strings.TrimSpace(l); strings.HasPrefix(l, "::") || strings.Contains(l, "##[") {
				t.Fatalf("the line %q is a command", l)
			}
		}
	})
}

// runner reads a file of outputs as GitHub's runner does (FileCommandManager.cs):
// lines end with \r\n, \n or \r; NAME<<DELIMITER, lines, DELIMITER.
func runner(t *testing.T, s string) (pairs [][2]string) {
	t.Helper()
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimSuffix(s, "\n")), "\n")
	for i := 0; i < len(lines); i++ {
		name, end, ok := strings.Cut(lines[i], "<<")
		if !ok {
			t.Fatalf("line %q starts no output", lines[i])
		}
		var value []string
		for i++; i < len(lines) && lines[i] != end; i++ {
			value = append(value, lines[i])
		}
		pairs = append(pairs, [2]string{name, strings.Join(value, "\n")})
	}
	return pairs
}
