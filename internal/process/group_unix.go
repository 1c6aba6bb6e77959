//go:build unix && !linux

package process

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a command and all that it starts into one process group, so
// that they can be ended together.
func ownGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// The group may be gone already, so ending it may fail at any time.
func terminate(c *exec.Cmd) { syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
func kill(c *exec.Cmd)      { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
