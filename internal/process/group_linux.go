package process

import (
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

// The group may be gone already, so ending it may fail at any time.
func terminate(c *exec.Cmd) { syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
func kill(c *exec.Cmd)      { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
