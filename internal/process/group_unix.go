//go:build unix

package process

import (
	"os/exec"
	"os/signal"
	"syscall"
)

func terminate(c *exec.Cmd) { terminateGroup(c.Process.Pid) }
func kill(c *exec.Cmd)      { killGroup(c.Process.Pid) }

// The group may be gone already, so ending it may fail at any time.
func terminateGroup(leader int) { syscall.Kill(-leader, syscall.SIGTERM) }
func killGroup(leader int)      { syscall.Kill(-leader, syscall.SIGKILL) }

// ownSession keeps a command from what is sent to this program's process group,
// or to its terminal.
func ownSession(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func ignoreSignals() {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM)
}
