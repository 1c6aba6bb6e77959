package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A Guard is a process of our own that outlives a SIGKILL to this one: it ends
// the commands that are told to it, with all that they started, and removes a
// folder. It knows by the end of a pipe that this process is gone, and has
// nothing to do where it was told so before. A nil Guard does nothing.
type Guard struct {
	mu   sync.Mutex
	tell io.WriteCloser
	wait func() error
}

// guardName is what a guard is called, in place of the program's name.
const guardName = "stitch-index-guard"

// A guard is this program, or the test of one: whatever links this package can
// be started as one, so that none runs as itself again.
func init() {
	if len(os.Args) == 2 && os.Args[0] == guardName {
		ignoreSignals()
		guard(os.Stdin, os.Args[1])
		os.Exit(0)
	}
}

// NewGuard starts a guard, which removes a folder when this process is killed.
// It is nil where that is not possible: it is for the worst case alone.
func NewGuard(folder string) *Guard {
	program, err := self()
	if err != nil {
		return nil
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return nil
	}
	// No output, which would hold a pipe of the caller open, and no environment,
	// which has credentials.
	c := &exec.Cmd{Path: program, Args: []string{guardName, folder}, Env: []string{}, Dir: "/"}
	ownSession(c)
	tell, err := c.StdinPipe()
	if err != nil || c.Start() != nil {
		return nil
	}
	return &Guard{tell: tell, wait: c.Wait}
}

func (g *Guard) say(format string, args ...any) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprintf(g.tell, format, args...) // a guard that is gone guards nothing
}

// started and ended tell of a command, which leads a process group.
func (g *Guard) started(pid int) { g.say("+%d\n", pid) }
func (g *Guard) ended(pid int)   { g.say("-%d\n", pid) }

// Close ends the guard: all is removed that it would remove.
func (g *Guard) Close() {
	if g == nil {
		return
	}
	g.say("done\n")
	g.tell.Close()
	g.wait()
}

// guard is what a guard does: it follows what runs, until it is told that all
// is done, or until nobody tells it anything any more.
func guard(told io.Reader, folder string) {
	running := map[int]bool{}
	for lines := bufio.NewScanner(told); lines.Scan(); {
		var pid int
		switch line := lines.Text(); {
		case line == "done":
			return
		case strings.HasPrefix(line, "+"):
			fmt.Sscan(line[1:], &pid)
			running[pid] = true
		default:
			fmt.Sscan(strings.TrimPrefix(line, "-"), &pid)
			delete(running, pid)
		}
	}
	for pid := range running {
		terminateGroup(pid)
	}
	if len(running) > 0 {
		time.Sleep(patience)
	}
	for range 20 { // what was killed may write for a moment
		for pid := range running {
			killGroup(pid)
		}
		if os.RemoveAll(folder) == nil {
			return
		}
		time.Sleep(patience / 10)
	}
}
