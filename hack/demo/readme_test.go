package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/imagetest"
)

// The first lines of README.md do what it says, with a recorded cluster, the
// test's own builder and kubectl in PATH, and its registry as ghcr.io.
func TestREADME(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "path")
	registry, err := startRegistry("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer registry.stop()
	for name, script := range map[string]string{
		"detect-arch":     fmt.Sprintf(`exec %s/detect-arch --from-file nodes.json "$@"`, tools),
		"stitch-index":    fmt.Sprintf(`case $* in *--platform*) exec %[1]s/stitch-index "$@" -- %[1]s/demo build;; *) exec %[1]s/stitch-index "$@";; esac`, tools),
		"inject-affinity": fmt.Sprintf(`exec %s/inject-affinity "$@"`, tools),
		"kubectl":         `[ "$*" = "apply -f -" ] && cat > applied.yaml`,
	} {
		write(t, filepath.Join(path, name), "#!/bin/sh\n"+script+"\n")
	}
	work := filepath.Join(dir, "work")
	if err := os.CopyFS(work, os.DirFS(filepath.Join(root, "samples", "hello"))); err != nil {
		t.Fatal(err)
	}
	manifests, err := filepath.Glob(filepath.Join(work, "k8s", "*.yaml"))
	if err != nil || len(manifests) == 0 {
		t.Fatal(manifests, err)
	}
	name := registry.address + "/you/app"
	for _, m := range manifests {
		write(t, m, regexp.MustCompile(`(\bimage: "?)hello\b`).ReplaceAllString(read(t, m), "${1}"+name))
	}
	bash := func(lines string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "bash", "-euc", "set -o pipefail\n"+strings.ReplaceAll(lines, "ghcr.io/you/app", name))
		cmd.Dir, cmd.Env = work, append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	blocks := regexp.MustCompile("(?s)```(sh)?\n(.*?)```").FindAllStringSubmatch(read(t, filepath.Join(root, "README.md")), 3)
	check, shown, flow := blocks[0][2], strings.TrimSpace(blocks[1][2]), blocks[2][2]

	if _, err := imagetest.PushIndex(name+":v1", imagetest.App("linux/amd64", "amd64", "x"), imagetest.App("linux/arm64", "amd64", "x")); err != nil {
		t.Fatal(err)
	}
	if out, err := bash(check); err == nil || !strings.Contains(out, strings.ReplaceAll(shown, "ghcr.io/you/app", name)) {
		t.Errorf("%s: %v\n%s\nwant %s", check, err, out, shown)
	}
	if strings.Count(flow, "\n") != 3 {
		t.Errorf("the flow has not three lines:\n%s", flow)
	}
	if out, err := bash(flow); err != nil {
		t.Fatalf("%s: %v\n%s", flow, err, out)
	}
	applied := read(t, filepath.Join(work, "applied.yaml"))
	if n := strings.Count(applied, name+":v1@sha256:"); n < 4 || !strings.Contains(applied, "key: kubernetes.io/arch") {
		t.Errorf("%d images were pinned:\n%s", n, applied)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
