//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipesThatNobodyOpens: what waits for a pipe ends with the time limit,
// whether the program reads it or writes it.
func TestPipesThatNobodyOpens(t *testing.T) {
	program, err := exec.LookPath("detect-arch")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pipe, nodes := filepath.Join(dir, "pipe"), filepath.Join(dir, "nodes.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	list := `{"kind":"List","items":[{"metadata":{"name":"a","labels":{"kubernetes.io/os":"linux","kubernetes.io/arch":"amd64"}}}]}`
	if err := os.WriteFile(nodes, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"nothing came in time":  {"--from-file", pipe},
		"the time limit of ":    {"--from-file", nodes, "--for", pipe},
		"the time limit of 3":   {"--from-file", nodes, "--child-pipeline", filepath.Join(dir, "child.yml"), "--child-job", pipe},
		"the time limit of 30":  {"--from-file", nodes, "--report", pipe},
		"the time limit of 300": {"--from-file", nodes, "--result", "platforms=" + pipe},
		"it has more than":      {"--from-file", nodes, "--child-pipeline", filepath.Join(dir, "child.yml"), "--child-job", "/dev/zero"},
	} {
		cmd := exec.Command(program, append([]string{"--timeout", "300ms"}, args...)...)
		out, err := cmd.CombinedOutput() // the test's own time limit ends one that waits
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
		if left, _ := os.ReadDir(dir); len(left) != 2 {
			t.Errorf("%q: %v are left", args, left)
		}
	}
}
