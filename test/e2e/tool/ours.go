package tool

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// Ours builds one of this repository's own programs, cmd/NAME, and returns the path of
// the executable, which the test's end removes.
func Ours(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := BuildOurs(t.Context(), name, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// BuildOurs builds cmd/NAME of this repository to path, static and stripped as a release is.
func BuildOurs(ctx context.Context, name, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/"+name)
	cmd.Dir = filepath.Dir(filepath.Dir(filepath.Dir(ToolsDir())))
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return nil
}
