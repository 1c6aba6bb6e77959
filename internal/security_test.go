package internal

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each attack in docs/security.md names a test that is there.
func TestAttacksHaveTests(t *testing.T) {
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| attack | result | test |\n|---|---|---|\n")
	row := regexp.MustCompile("^\\| .+ \\| .+ \\| `([a-z0-9/-]+)` `((?:Test|Fuzz)\\w+)` \\|$")
	n := 0
	for line := range strings.Lines(table) {
		m := row.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			t.Errorf("the line %q names no test", line)
			continue
		}
		n++
		files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(m[1]), "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(b), "\nfunc "+m[2]+"(")
		}
		if !found {
			t.Errorf("%s has no %s", m[1], m[2])
		}
	}
	if n < 20 {
		t.Errorf("%d attacks were found", n)
	}
}
