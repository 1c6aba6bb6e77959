// Package hack_test runs the scripts of a release on copies of this repository.
package hack_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	out, err := try(dir, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// clone copies the tracked files of this tree, as they are now, into a
// repository of their own.
func clone(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("there is no bash here")
	}
	dir := t.TempDir()
	for _, name := range strings.Split(strings.TrimRight(run(t, "..", "git", "ls-files", "-z"), "\x00"), "\x00") {
		from := filepath.Join("..", name)
		info, err := os.Stat(from)
		if os.IsNotExist(err) { // removed, not committed yet
			continue
		}
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, "git", "init", "--quiet", "--initial-branch=main")
	commit(t, dir)
	return dir
}

func commit(t *testing.T, dir string) {
	t.Helper()
	run(t, dir, "git", "add", "--all")
	run(t, dir, "git", "commit", "--quiet", "--allow-empty", "--message=x")
}

// named is every place in the text of a file that names a release of ours.
var named = regexp.MustCompile(`(?:polyarch/polyarch[A-Za-z0-9_./-]*@|mirrors/polyarch/[a-z-]+@|ghcr\.io/polyarch/[a-z-]+:|\?ref=|polyarch/polyarch/|releases/download/|polyarch_|app\.kubernetes\.io/version: "|^version: )(v?[0-9]+(?:\.[0-9]+)*(?:-[a-z0-9.]+)?)`)

// versions are the releases that a tree names, and how often.
func versions(t *testing.T, dir string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, name := range strings.Fields(run(t, dir, "git", "ls-files", "*.md", "*.yml", "*.yaml", ":!:CHANGELOG.md", ":!:hack", ":!:test", ":!:**/testdata/**")) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == ".goreleaser.yaml" || name == ".github/dependabot.yml" { // the version of their own form
			continue
		}
		for i, line := range bytes.Split(b, []byte("\n")) {
			for _, m := range named.FindAllSubmatch(line, -1) {
				v := "v" + strings.TrimPrefix(string(m[1]), "v")
				found[v] = append(found[v], fmt.Sprintf("%s:%d: %s", name, i+1, m[0]))
			}
		}
	}
	return found
}

// Wherever a release was named before, a prepared tree names its own and no
// other, and a second run changes nothing. hack/docs has its own tests, and
// takes a minute to build in a new folder: here it is only called.
func TestPrepare(t *testing.T) {
	dir, bin := clone(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\necho called: go \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	for _, version := range []string{"v9.8.7-rc.1", "v9.8.7", "v10.0.0"} {
		changes := filepath.Join(dir, "CHANGELOG.md")
		b, err := os.ReadFile(changes)
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.Replace(b, []byte("## Unreleased\n"), []byte("## Unreleased\n\n- "+version+" is quicker.\n"), 1)
		if err := os.WriteFile(changes, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if out := run(t, dir, "hack/prepare.sh", version); !strings.Contains(out, "called: go run ./hack/docs\n") {
			t.Errorf("the generated inputs are not made anew: %s", out)
		}
		if got := strings.TrimSpace(run(t, dir, "cat", "actions/version")); got != version {
			t.Errorf("actions/version is %s", got)
		}
		for v, places := range versions(t, dir) {
			if v != version {
				t.Errorf("%s is still named: %q", v, places)
			}
		}
		if n := len(versions(t, dir)[version]); n < 50 {
			t.Errorf("%s is named %d times, want 50 at least", version, n)
		}
		if got := run(t, dir, "hack/changes.sh", version); !strings.Contains(got, version+" is quicker.") {
			t.Errorf("the changes of %s: %q", version, got)
		}
		commit(t, dir)
		run(t, dir, "hack/prepare.sh", version)
		if out := run(t, dir, "git", "status", "--porcelain"); out != "" {
			t.Errorf("a second run changes %s", out)
		}
	}
	run(t, dir, "hack/prepare.sh", "dev")
	if got := versions(t, dir); len(got) != 1 || len(got["v10.0.0"]) == 0 {
		t.Errorf("after the release the documents name %v", got)
	}
	if out := run(t, dir, "cat", "actions/version"); out != "dev\n" {
		t.Errorf("after the release actions/version is %s", out)
	}
	for _, bad := range []string{"1.2.3", "v1", "v1.2", "v1.2.3;x", "v1.2.3-", "v1.2.3\nv"} {
		if out, err := try(dir, "hack/prepare.sh", bad); err == nil || !strings.Contains(out, "is not like v1.2.3") {
			t.Errorf("version %q: %v: %s", bad, err, out)
		}
	}
}

// Between releases, documents name the last one.
func TestDocumentsNameOneRelease(t *testing.T) {
	got := versions(t, "..")
	if len(got) != 1 {
		for v, places := range got {
			t.Errorf("%s is named in %q", v, places[:min(5, len(places))])
		}
	}
}

func TestMoveTags(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("there is no bash here")
	}
	remote, dir := t.TempDir(), t.TempDir()
	run(t, remote, "git", "init", "--quiet", "--bare")
	run(t, dir, "git", "init", "--quiet", "--initial-branch=main")
	run(t, dir, "git", "remote", "add", "origin", remote)
	script, err := filepath.Abs("move-tags.sh")
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]string{}
	for _, c := range []struct {
		version string
		moved   []string
	}{
		{"v1.9.0", []string{"v1", "v1.9"}},
		{"v1.10.0-rc.1", nil},
		{"v1.10.0", []string{"v1", "v1.10"}},
		{"v1.9.1", []string{"v1.9"}},
		{"v1.9.0", nil}, // run again, late
		{"v1.10.0", nil},
		{"v10.0.0", []string{"v10", "v10.0"}},
		{"v1.10.1", []string{"v1", "v1.10"}},
		{"v1.10.1", nil},
	} {
		if _, err := try(dir, "git", "rev-parse", "refs/tags/"+c.version); err != nil {
			commit(t, dir)
			run(t, dir, "git", "tag", c.version)
			run(t, dir, "git", "push", "--quiet", "origin", c.version)
		}
		run(t, dir, "bash", script, c.version)
		for _, line := range strings.Split(strings.TrimSpace(run(t, dir, "git", "ls-remote", "--tags", "--refs", "origin")), "\n") {
			sum, ref, _ := strings.Cut(line, "\t")
			tag := strings.TrimPrefix(ref, "refs/tags/")
			if strings.Count(tag, ".") >= 2 || at[tag] == sum {
				continue
			}
			at[tag] = sum
			if !slices.Contains(c.moved, tag) {
				t.Errorf("%s moves %s", c.version, tag)
			}
		}
		for _, tag := range c.moved {
			if want := strings.TrimSpace(run(t, dir, "git", "rev-parse", c.version)); at[tag] != want {
				t.Errorf("%s leaves %s at %s", c.version, tag, at[tag])
			}
		}
	}
	if out, err := try(dir, "bash", script, "v3.0.0"); err == nil || !strings.Contains(out, "no tag v3.0.0") {
		t.Errorf("a release that is not there: %v %s", err, out)
	}
}
