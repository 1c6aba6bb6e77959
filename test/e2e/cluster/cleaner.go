package cluster

import (
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// A cleaner is a shell that waits for us to end, in whatever way, and then takes back what the
// kernel does not: temporary files and machine-wide settings. It sees our end by the pipe that is
// its standard input, so a SIGKILL does not stop it.
type cleaner struct {
	stdin io.WriteCloser
	cmd   *exec.Cmd
}

// newCleaner starts a cleaner that will run the script with args as $1, $2, …
func newCleaner(script string, args ...string) (*cleaner, error) {
	cmd := exec.Command("sh", append([]string{"-c", "cat >/dev/null\n" + script, "sh"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the cleaner: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the cleaner: %w", err)
	}
	return &cleaner{stdin, cmd}, nil
}

// clean has it run now, and waits.
func (c *cleaner) clean() error {
	c.stdin.Close()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("cleaning up: %w", err)
	}
	return nil
}
