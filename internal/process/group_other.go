//go:build !unix

package process

import (
	"errors"
	"os/exec"
)

func ownGroup(*exec.Cmd)    {}
func terminate(c *exec.Cmd) { c.Process.Kill() }
func kill(c *exec.Cmd)      { c.Process.Kill() }

// There is no guard here.
func self() (string, error) { return "", errors.ErrUnsupported }
func ownSession(*exec.Cmd)  {}
func ignoreSignals()        {}
func terminateGroup(int)    {}
func killGroup(int)         {}
