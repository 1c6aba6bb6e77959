package cluster

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// endChildren kills the programs that client-go started and that nobody waits
// for any more, with what they started themselves.
func endChildren() { endBelow(os.Getpid(), 0) }

func endBelow(pid, depth int) {
	lists, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, l := range lists {
		b, err := os.ReadFile(l)
		if err != nil || depth > 10 {
			continue
		}
		for _, f := range strings.Fields(string(b)) {
			child, err := strconv.Atoi(f)
			if err != nil {
				continue
			}
			endBelow(child, depth+1)
			_ = syscall.Kill(child, syscall.SIGKILL) // it may have ended already
		}
	}
}
