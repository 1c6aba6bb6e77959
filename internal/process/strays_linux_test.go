package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A tool that starts what it runs in groups of its own, as kaniko does for each
// RUN, and that ends without ending it.
func TestASignalEndsWhatIsInAnotherGroup(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	file := filepath.Join(t.TempDir(), "pid")
	out := &Lines{Each: func(string) { cancel(stop) }}
	script := `setsid sh -c 'trap "" TERM; echo $$ >"$0"; echo up; sleep 600 & wait; wait' "$0" & wait`
	if err := Run(ctx, Command{Argv: []string{"sh", "-c", script, file}, Env: os.Environ()}, out); err == nil || !errors.Is(context.Cause(ctx), stop) {
		t.Errorf("error %v, %v", err, context.Cause(ctx))
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for range 6000 { // a minute at most, for a slow machine
		// One that has ended may wait for a parent that never looks.
		if s, ok := readStat("/proc/" + strconv.Itoa(pid) + "/stat"); !ok || s.state == "Z" || syscall.Kill(pid, 0) != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("process %d, in a group of its own, never ends", pid)
}
