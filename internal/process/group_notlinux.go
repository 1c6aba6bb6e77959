//go:build unix && !linux

package process

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup puts a command and all that it starts into one process group, so
// that they can be ended together.
func ownGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// self returns the path of this program.
func self() (string, error) { return os.Executable() }
