package tool

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Ours builds one of this repository's own programs, cmd/NAME, as a release does, and gives the
// path of the executable, which the test's end removes.
func Ours(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/"+name)
	cmd.Dir = filepath.Dir(filepath.Dir(filepath.Dir(ToolsDir())))
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return path
}
