package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/polyarch/polyarch/test/e2e/cluster"
)

// startAndHang, in the environment of this test program, makes it start a cluster, say where, and
// wait to be killed.
const startAndHang = "POLYARCH_E2E_START_AND_HANG"

func TestMain(m *testing.M) {
	if os.Getenv(startAndHang) != "" {
		hang()
	}
	os.Exit(m.Run())
}

func TestKilledProcessLeavesNothing(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), startAndHang+"=1")
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
	if n := len(processesOf(t, dir)); n < 3 {
		t.Errorf("%d processes name %s, want at least 3", n, dir)
	}
	child.Process.Kill()
	child.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		left := processesOf(t, dir)
		_, err := os.Stat(dir)
		if len(left) == 0 && os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("20 s after the process was killed: processes %v, folder %s: %v", left, dir, err)
		}
	}
}

func hang() {
	c, err := cluster.Start(context.Background(), func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.Kubeconfig)
	select {}
}

// processesOf gives the ids of the processes that name the text in their command line.
func processesOf(t *testing.T, text string) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if b, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline")); err == nil && strings.Contains(string(b), text) {
			pids = append(pids, pid)
		}
	}
	return pids
}
