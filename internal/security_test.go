package internal

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each attack that docs/security.md names is held off by a test that exists.
func TestAttacksHaveTests(t *testing.T) {
	b, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| .* \\| `([a-z/-]+)` `(Test\\w+)` \\|$").FindAllStringSubmatch(string(b), -1)
	if len(rows) < 10 || len(rows) != strings.Count(string(b), "` |\n") {
		t.Errorf("%d rows name a package and a test", len(rows))
	}
	for _, row := range rows {
		files, err := filepath.Glob(filepath.Join("..", row[1], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(b), "\nfunc "+row[2]+"(t *testing.T)")
		}
		if !found {
			t.Errorf("%s has no %s", row[1], row[2])
		}
	}
}
