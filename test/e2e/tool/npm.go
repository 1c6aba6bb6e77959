package tool

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Npm installs the packages that test/e2e/npm pins into a folder of the user's cache, unless an
// earlier run has, and returns its path. No package's scripts are run. Needs node and npm.
func Npm(t testing.TB) string {
	t.Helper()
	dir, err := npm(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func npm(ctx context.Context, logf func(string, ...any)) (string, error) {
	from := filepath.Join(filepath.Dir(ToolsDir()), "npm")
	files := []string{"package.json", "package-lock.json", "check-actions.mjs"}
	sum := sha256.New()
	contents := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(from, f))
		if err != nil {
			return "", fmt.Errorf("installing npm's packages: %w", err)
		}
		contents[f] = b
		sum.Write(b)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("installing npm's packages: finding the cache folder: %w", err)
	}
	dir := filepath.Join(cache, "polyarch", fmt.Sprintf("npm-%x", sum.Sum(nil)[:6]))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("installing npm's packages: %w", err)
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", fmt.Errorf("installing npm's packages: %w", err)
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	logf("installing the packages of %s into %s", from, dir)
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return "", err
	}
	for f, b := range contents {
		if err := os.WriteFile(filepath.Join(part, f), b, 0o644); err != nil {
			return "", err
		}
	}
	for _, argv := range [][]string{
		{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"},
		{"node_modules/.bin/esbuild", "check-actions.mjs", "--bundle", "--platform=node", "--format=cjs", "--outfile=check-actions.cjs", "--log-level=warning"},
	} {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Dir = part
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("running %s in %s: %w\n%s", cmd, part, err, out)
		}
	}
	return dir, os.Rename(part, dir)
}
