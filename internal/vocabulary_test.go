package internal

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
)

type vocabulary struct {
	Name    string
	Flags   []flagset.Info
	Results []output.Spec
}

func vocabularies(t *testing.T) []vocabulary {
	t.Helper()
	var all []vocabulary
	for _, p := range list(t, module+"cmd/...") {
		if p.Name != "main" {
			continue
		}
		out, err := exec.Command("go", "run", p.ImportPath, "--help", "--json").Output()
		if err != nil {
			t.Fatalf("%s --help --json: %v", p.ImportPath, err)
		}
		var v vocabulary
		if err := json.Unmarshal(out, &v); err != nil {
			t.Fatalf("%s --help --json: %v", p.ImportPath, err)
		}
		all = append(all, v)
		common := helpCommon(t, p.ImportPath)
		if n := len(common); n == 0 || n > 10 {
			t.Errorf("%s --help shows %d flags first, want 1 to 10", v.Name, n)
		}
	}
	if len(all) != 3 {
		t.Fatalf("there are %d binaries, want 3", len(all))
	}
	return all
}

// helpCommon returns the flags that --help shows before all others.
func helpCommon(t *testing.T, program string) []string {
	t.Helper()
	out, err := exec.Command("go", "run", program, "--help").Output()
	if err != nil {
		t.Fatalf("%s --help: %v", program, err)
	}
	_, rest, _ := strings.Cut(string(out), "\nFlags that most runs need:\n")
	first, _, _ := strings.Cut(rest, "\n\n")
	return regexp.MustCompile(`(?m)^  (?:-\w, )?--[a-z-]+`).FindAllString(first, -1)
}

// differ are the flags that take another kind of value in each binary, with
// the reason.
var differ = map[string]string{
	"context": "of a kubeconfig, as kubectl has it; of a build, as docker build has it",
	"image":   "the repository an index is pushed to; a built image that manifests name",
}

// One word means one thing: a flag that two binaries share takes the same kind
// of value, and the flags that every binary has are the same to the letter.
func TestOneVocabulary(t *testing.T) {
	type use struct {
		binary string
		flagset.Info
	}
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$|^[rw]$`)
	first := map[string]use{}
	for _, v := range vocabularies(t) {
		for _, f := range v.Flags {
			if !name.MatchString(f.Name) {
				t.Errorf("%s --%s: a flag's name is lower-case words joined by -", v.Name, f.Name)
			}
			if d := f.Description; d == "" || strings.HasSuffix(d, ".") || strings.ToLower(d[:1]) != d[:1] && strings.ToUpper(d[:2]) != d[:2] {
				t.Errorf("%s --%s: %q starts lower case and ends without a full stop", v.Name, f.Name, d)
			}
			if f.Placeholder == "string" || f.Placeholder == "value" {
				t.Errorf("%s --%s has no placeholder in back quotes", v.Name, f.Name)
			}
			old, shared := first[f.Name]
			if !shared {
				first[f.Name] = use{v.Name, f}
				continue
			}
			if common := f.Group == "Output" || f.Group == "Other"; common && old.Info != f {
				t.Errorf("--%s differs:\n%s: %+v\n%s: %+v", f.Name, old.binary, old.Info, v.Name, f)
			}
			if differ[f.Name] == "" && (old.Placeholder != f.Placeholder || old.Repeatable != f.Repeatable) {
				t.Errorf("--%s takes %q (a list: %t) in %s, %q (%t) in %s", f.Name, old.Placeholder, old.Repeatable, old.binary, f.Placeholder, f.Repeatable, v.Name)
			}
		}
		seen := map[string]bool{}
		for _, r := range v.Results {
			if seen[r.Name] || !name.MatchString(r.Name) || r.Description == "" {
				t.Errorf("%s: result %+v: named twice, or no lower-case words joined by -, or not described", v.Name, r)
			}
			seen[r.Name] = true
		}
	}
}
