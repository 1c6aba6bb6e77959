// Package tool builds the programs that the end-to-end tests run, from the Go modules that pin
// them, and keeps the results in the user's cache folder so that later runs find them there.
//
// A program's module is a folder below test/e2e/tools with its own go.mod and go.sum, and a
// `tool` directive or a main package of ours for each program. To add one: make the folder, then
// declare a Program.
package tool

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Program is one command that can be built from a module below test/e2e/tools.
type Program struct {
	Name    string // of the executable: "hyperkube"
	Module  string // folder below test/e2e/tools
	Package string // what to build, an import path or relative to the module: "./hyperkube"
	Version string // path of the module in go.mod whose version is the program's; empty: ours, unversioned
	Arch    string // GOARCH; empty: the machine's
	LDFlags string // for the linker, beside -s -w; "{version}" stands for the version
}

// Build returns the path of p's executable, building it first if no earlier run has. The test fails
// if it cannot be built.
func Build(t testing.TB, p Program) string {
	t.Helper()
	path, err := p.Build(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Build returns the path of the executable
//
//	CACHE/polyarch/NAME-VERSION-HASH/NAME
//
// where CACHE is os.UserCacheDir and HASH covers everything that the build depends on: the
// module's files, Go's version, the target and the flags. If the file is missing it is built, which
// takes minutes for the largest, and logf is told. Processes that want the same program wait for the
// one that builds it.
func (p Program) Build(ctx context.Context, logf func(format string, args ...any)) (string, error) {
	module := moduleDir(p)
	p.Arch = cmp.Or(p.Arch, runtime.GOARCH)
	version, err := p.version(module)
	if err != nil {
		return "", fmt.Errorf("building %s: %w", p.Name, err)
	}
	p.LDFlags = strings.TrimSpace("-s -w " + strings.ReplaceAll(p.LDFlags, "{version}", version))
	hash, err := p.hash(module)
	if err != nil {
		return "", fmt.Errorf("building %s: %w", p.Name, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("building %s: finding the cache folder: %w", p.Name, err)
	}
	name := strings.Join([]string{p.Name, version, hash}, "-")
	dir := filepath.Join(cache, "polyarch", name)
	path := filepath.Join(dir, p.Name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("building %s: %w", p.Name, err)
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", fmt.Errorf("building %s: %w", p.Name, err)
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	logf("building %s %s for %s; the result is kept in %s", p.Name, version, p.Arch, dir)
	start := time.Now()
	if err := p.goBuild(ctx, module, path); err != nil {
		return "", fmt.Errorf("building %s: %w", p.Name, err)
	}
	logf("built %s in %s", p.Name, time.Since(start).Round(time.Second))
	return path, nil
}

// goBuild leaves the executable at path, or nothing there.
func (p Program) goBuild(ctx context.Context, module, path string) error {
	part := path + ".part"
	// Two compilers at once: the linker and the largest packages need more than 2 GB each.
	cmd := exec.CommandContext(ctx, "go", "build", "-p", "2", "-buildvcs=false", "-ldflags", p.LDFlags, "-o", part, p.Package)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+p.Arch, "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running %s in %s: %w\n%s", cmd, module, err, out)
	}
	return os.Rename(part, path)
}

func moduleDir(p Program) string { return filepath.Join(ToolsDir(), p.Module) }

// ToolsDir is the folder of the modules that pin programs.
func ToolsDir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "tools")
}

// lock waits for the file's lock; the kernel gives it back if the process dies.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}
