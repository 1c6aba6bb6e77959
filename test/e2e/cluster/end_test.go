package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/test/e2e/cluster"
)

// startAndHang, in the environment of this test program, makes it start the cluster that it names, say
// where, and wait to be killed.
const startAndHang = "POLYARCH_E2E_START_AND_HANG"

func TestMain(m *testing.M) {
	if kind := os.Getenv(startAndHang); kind != "" {
		if err := hang(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func hang(kind string) error {
	logf := func(format string, args ...any) { fmt.Fprintf(os.Stderr, "    "+format+"\n", args...) }
	var c *cluster.ControlPlane
	if kind == "two" {
		two, err := cluster.StartTwo(context.Background(), logf)
		if err != nil {
			return err
		}
		c = two.ControlPlane
	} else {
		var err error
		if c, err = cluster.Start(context.Background(), logf); err != nil {
			return err
		}
	}
	fmt.Println(c.Kubeconfig)
	select {}
}

// A killed process cannot clean up after itself, so this is the harder way to end.
func TestKilledProcessLeavesNothing(t *testing.T) {
	for _, test := range []struct {
		kind  string
		least int // things to find while it lives, so that finding none later means something
	}{{"one", 4}, {"two", 12}} {
		t.Run(test.kind, func(t *testing.T) {
			before := emulators(t)
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), startAndHang+"="+test.kind)
			child.Stderr = os.Stderr
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatalf("waiting for the child's cluster: %v", err)
			}
			dir := filepath.Dir(strings.TrimSpace(line))
			if found := traces(t, dir); len(found) < test.least {
				t.Errorf("of the living cluster %d things are found, want at least %d: %q", len(found), test.least, found)
			}
			child.Process.Kill()
			child.Wait()
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				left := traces(t, dir)
				if len(left) == 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("20 s after the process was killed these are left: %q", left)
				}
			}
			if diff := cmp.Diff(before, emulators(t)); diff != "" {
				t.Errorf("binfmt registrations (-before +after):\n%s", diff)
			}
		})
	}
}

// traces finds what bears the cluster's name: processes, its folder, mounts and cgroups.
func traces(t *testing.T, dir string) []string {
	t.Helper()
	name := filepath.Base(dir)
	found, err := filepath.Glob(filepath.Join("/sys/fs/cgroup/*", name+"-*"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		found = append(found, dir)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(commands, "/proc/self/mountinfo") {
		if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), name) {
			found = append(found, file)
		}
	}
	return found
}

// emulators are the names under which the kernel runs programs of other architectures. It says so
// only where binfmt_misc is mounted.
func emulators(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("/proc/sys/fs/binfmt_misc/*")
	if err != nil {
		t.Fatal(err)
	}
	return names
}
