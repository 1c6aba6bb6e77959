//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// After SIGKILL the program can end nothing itself: its guard ends the builds
// with all that they started, even what ignores signals, and removes the folder.
func TestSIGKILLEndsBuilds(t *testing.T) {
	program := programPath(t)
	dir, tmp := t.TempDir(), t.TempDir()
	pids := filepath.Join(dir, "pids")
	cmd := exec.Command(program, "--image", "127.0.0.1:1/app", "--tag", "v1", "--platform", "linux/arm64", "--", "sh", "-c",
		`trap '' TERM; (trap '' TERM HUP; echo $$ > "$0.new"; sh -c 'echo $PPID' >> "$0.new"; mv "$0.new" "$0"; while :; do sleep 0.05; : > "$OCI_LAYOUT/x"; done) & wait; wait`, pids)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var build, child int
	soon(t, "the build runs", func() bool {
		b, _ := os.ReadFile(pids)
		n, _ := fmt.Sscan(string(b), &build, &child)
		return n == 2
	})
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // as a shell does, and a runner
	cmd.Wait()
	for what, pid := range map[string]int{"build": build, "child of the build": child} {
		soon(t, "the end of the "+what, func() bool { return gone(pid) })
	}
	soon(t, "the end of the folder", func() bool {
		left, err := os.ReadDir(tmp)
		return err == nil && len(left) == 0
	})
}

// gone reports whether a process has ended, and waits at most for a parent that
// may never look.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(b), ") ")
	return err == nil && strings.HasPrefix(state, "Z")
}

// soon waits a minute at most, for a slow machine.
func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 6000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it never came: %s", what)
}

// What a stranger puts into the folder that is built is not waited for.
func TestPipesInTheFolderThatIsBuilt(t *testing.T) {
	program := programPath(t)
	for name, want := range map[string]string{"pom.xml": "nothing in ", "Dockerfile": "the time limit of 300ms was reached"} {
		dir := t.TempDir()
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "--image", "127.0.0.1:1/app", "--tag", "v1", "--timeout", "300ms", "--platform", "linux/arm64", "--dry-run", "--context", dir)
		if name == "Dockerfile" {
			cmd.Args = append(cmd.Args, "--builder", "docker")
		}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
