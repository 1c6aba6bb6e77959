package builders

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table into docs/builders.md")

const begin, end = "<!-- what test/e2e/builders shows: go test -C test/e2e ./builders -run TestTable -args -update -->\n", "<!-- end -->\n"

// TestTable holds the table in docs/builders.md to the list of builders.
func TestTable(t *testing.T) {
	path := filepath.Join(root(), "docs/builders.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s does not have the lines %q and %q", path, begin, end)
	}
	want := table(t)
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is not that of the builders that run here; write it with: go test -C test/e2e ./builders -run TestTable -args -update\n%s", path, want)
	}
	if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func table(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| builder | version that ran | tier | `--label` | `--secret` | built again |\n|---|---|---|---|---|---|\n")
	mark := func(x builder, f feature) string {
		if x.shows(f) {
			return "shown"
		}
		return "–"
	}
	for _, x := range builders {
		version, err := x.version()
		if err != nil {
			t.Fatal(err)
		}
		cache := x.again
		if cache == "" {
			t.Errorf("%s does not say what serves it when it builds again", x.name)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", x.name, version, cmp.Or(x.tier, "built and run"), mark(x, labels), mark(x, secrets), cache)
	}
	for _, x := range unseen {
		fmt.Fprintf(&b, "| `%s` | – | %s | – | – | – |\n", x[0], x[1])
	}
	return b.String()
}

// unseen are the builders that do not run here, with the reason.
var unseen = [][2]string{
	{"jib-gradle", "command line: Gradle 5.1 or newer cannot be had from a package registry"},
}
