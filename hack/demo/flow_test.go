package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tools is the folder with our programs.
var tools string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "demo-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		tools = dir
		build := exec.Command("go", "build", "-o", dir+string(os.PathSeparator), "./cmd/...", "./hack/demo")
		build.Dir, build.Stderr = filepath.Join("..", ".."), os.Stderr
		if err := build.Run(); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

// The whole flow, twice, as `make demo` runs it: the same digests, the same
// manifests, and nothing but added lines and images in the diff.
func TestDemo(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(tools, filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "samples", "hello"), os.DirFS(filepath.Join(root, "samples", "hello"))); err != nil {
		t.Fatal(err)
	}
	first := command(t, dir, filepath.Join(dir, "bin", "demo"), "--listen", "127.0.0.1:0", "--out", "one")
	command(t, dir, filepath.Join(dir, "bin", "demo"), "--listen", "127.0.0.1:0", "--out", "two")
	for _, want := range []string{"\nlinux/amd64,linux/arm64\n", `"mediaType": "application/vnd.oci.image.index.v1+json"`, "+          affinity:", "Done."} {
		if !strings.Contains(first, want) {
			t.Errorf("the demo does not show %q:\n%s", want, first)
		}
	}
	one, two := digest(t, dir, "one"), digest(t, dir, "two")
	if one != two || !strings.HasPrefix(one, "sha256:") {
		t.Errorf("digests %q and %q", one, two)
	}
	files, err := filepath.Glob(filepath.Join(dir, "samples", "hello", "k8s", "*.yaml"))
	if err != nil || len(files) != 5 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	for _, f := range files {
		name := filepath.Base(f)
		added := keepsEveryLine(t, f, filepath.Join(dir, "one", "k8s", name), one)
		if (added == 0) != (name == "service.yaml") {
			t.Errorf("%s: %d lines were added", name, added)
		}
	}
}

// keepsEveryLine checks that all lines of the first file stand in the second
// in their order, images aside, and counts the lines that came.
func keepsEveryLine(t *testing.T, before, after, digest string) (added int) {
	t.Helper()
	image := regexp.MustCompile(`(\bimage: )("?)hello("?)`)
	now := strings.SplitAfter(read(t, after), "\n")
	i := 0
	for _, want := range strings.SplitAfter(read(t, before), "\n") {
		for i < len(now) {
			m := image.FindStringSubmatch(want)
			if now[i] == want || m != nil && strings.Contains(now[i], "/hello:v1@"+digest) {
				break
			}
			i++
			added++
		}
		if i == len(now) {
			t.Errorf("%s lacks the line %q, or has it out of order", after, want)
			return added
		}
		i++
	}
	return added + len(now) - i
}

func digest(t *testing.T, dir, out string) string {
	t.Helper()
	var a struct {
		Builds []struct {
			ImageName, Tag string
			Platforms      []string
		}
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, out, "artifacts.json"))), &a); err != nil {
		t.Fatal(err)
	}
	if len(a.Builds) != 1 || a.Builds[0].ImageName != "hello" {
		t.Fatalf("artifacts %+v", a)
	}
	if d := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, a.Builds[0].Platforms); d != "" {
		t.Error(d)
	}
	_, d, _ := strings.Cut(a.Builds[0].Tag, "@")
	return d
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
