// Package actions_test runs the scripts of the GitHub actions with the bash
// that a runner has: 3.2 on macOS, Git's on Windows.
package actions_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type result struct {
	code        int
	out, errors string
}

// bash runs a script of this folder with nothing of our environment but PATH.
func bash(t *testing.T, env []string, script string, args ...string) result {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("there is no bash here")
	}
	path, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	return shell(t, env, "bash", append([]string{filepath.ToSlash(path)}, args...)...)
}

func shell(t *testing.T, env []string, name string, args ...string) result {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = t.TempDir()
	for _, name := range []string{"PATH", "HOME", "SYSTEMROOT", "TEMP", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "LOCALAPPDATA", "USERPROFILE"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var code *exec.ExitError
	if err != nil && !errors.As(err, &code) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// fake is a program that prints its arguments, each in brackets.
const fake = "#!/bin/sh\nfor a; do printf '[%s]\\n' \"$a\"; done\n"

// A value reaches the program as one word, whatever it holds.
func TestRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the program is a shell script")
	}
	cache := t.TempDir()
	dir := filepath.Join(cache, "polyarch", "v1.2.3", "linux-amd64")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "detect-arch"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	manifests := t.TempDir()
	for _, f := range []string{"a b.yaml", "c.yaml", "d.json"} {
		if err := os.WriteFile(filepath.Join(manifests, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	temp := t.TempDir()
	run := func(env ...string) result {
		return bash(t, append(env, "RUNNER_OS=Linux", "RUNNER_ARCH=X64", "RUNNER_TOOL_CACHE="+cache, "RUNNER_TEMP="+temp, "POLYARCH_VERSION=v1.2.3"), "run.sh", "detect-arch")
	}
	got := run(
		"POLYARCH_FLAG_DRY_RUN=true", "POLYARCH_FLAG_EMPTY=", "POLYARCH_FLAG_NAME=$(touch x) `id` \"a\" 'b' * ; --json",
		"POLYARCH_FLAG_RUNNER=linux/arm64=a,b\ndefault=c\n",
		"POLYARCH_WORDS=r@sha256:1=linux/amd64, *\r\nr@sha256:2",
		"POLYARCH_FILES=  "+manifests+"/*.yaml \r\n\n$(touch x)\n"+manifests+"/none*",
		"POLYARCH_COMMAND=echo \"$PLATFORM\"\nexit 3",
	)
	want := result{0, "[--github]\n[--dry-run=true]\n[--name=$(touch x) `id` \"a\" 'b' * ; --json]\n[--runner=linux/arm64=a,b\ndefault=c\n]\n" +
		"[r@sha256:1=linux/amd64]\n[*]\n[r@sha256:2]\n" +
		"[" + manifests + "/a b.yaml]\n[" + manifests + "/c.yaml]\n[$(touch x)]\n[" + manifests + "/none*]\n" +
		"[--]\n[bash]\n[-euo]\n[pipefail]\n[-c]\n[echo \"$PLATFORM\"\nexit 3]\n", ""}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(result{})); d != "" {
		t.Error(d)
	}
	if e, _ := os.ReadDir(temp); len(e) != 0 {
		t.Errorf("without a credential it left %v", e)
	}
	for _, name := range []string{"POLYARCH_WORDS", "POLYARCH_FILES"} {
		got := run(name + "=a\n--json")
		if got.code != 2 || got.out != "" || !strings.Contains(got.errors, `::error title=detect-arch::running detect-arch: the argument "--json" starts with -`) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
