package process

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup puts a command and all that it starts into one process group, so
// that they can be ended together. The kernel ends the command when the thread
// that started it is gone, as after SIGKILL to this program (prctl(2),
// PR_SET_PDEATHSIG): Run holds its thread until the command has ended.
func ownGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// self returns the path of this program, even of one that was replaced since it
// was started.
func self() (string, error) {
	const path = "/proc/self/exe"
	_, err := os.Stat(path)
	return path, err
}
