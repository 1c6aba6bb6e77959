package internal

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// unlinked are the modules that go.mod names although neither the binaries nor
// their tests link them, with the reason.
var unlinked = map[string]string{
	"golang.org/x/crypto/x509roots/fallback": "the certificates of our own images (hack/images)",
	// go mod tidy keeps what tests of our dependencies import
	"github.com/go-openapi/jsonpointer":   "tests of k8s.io/client-go",
	"github.com/go-openapi/jsonreference": "tests of k8s.io/client-go",
	"github.com/go-openapi/swag":          "tests of k8s.io/client-go",
	"gotest.tools/v3":                     "tests of github.com/docker/cli",
}

// TestRequirements: who imports or audits the three binaries finds in go.mod
// what they and their tests link, on any system. What needs more (Tekton's
// types, clusters, benchmarks) is a module of its own, as tasks is.
func TestRequirements(t *testing.T) {
	linked := map[string]bool{}
	for _, system := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "-test", "-f", "{{with .Module}}{{.Path}}{{end}}", module+"cmd/...", module+"internal/...")
		cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list for %s: %v", system, err)
		}
		for path := range strings.FieldsSeq(string(out)) {
			linked[path] = true
		}
	}

	cmd := exec.Command("go", "mod", "edit", "-json", "../go.mod")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod edit: %v", err)
	}
	var file struct {
		Require []struct{ Path string }
		Replace []struct{ Old struct{ Path string } }
	}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Require) == 0 {
		t.Fatal("go.mod requires nothing")
	}
	var required []string
	for _, r := range file.Require {
		required = append(required, r.Path)
		if !linked[r.Path] && unlinked[r.Path] == "" {
			t.Errorf("go.mod requires %s, which neither the binaries nor their tests link: give what needs it a module of its own", r.Path)
		}
	}
	for path, reason := range unlinked {
		if linked[path] || !slices.Contains(required, path) {
			t.Errorf("%s (%s) is in the table unlinked of this test for nothing", path, reason)
		}
	}
	if len(file.Replace) > 0 { // go install …@version refuses a module with these
		t.Errorf("go.mod replaces %v", file.Replace)
	}
}
