package cluster

import (
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// A cleaner is a shell that waits for this process to end, in whatever way, and then cleans up
// what the kernel does not. It notices the end by the pipe that is its standard input, so a
// SIGKILL does not stop it.
type cleaner struct {
	stdin io.WriteCloser
	cmd   *exec.Cmd
}

// cleanScript removes folder $1, the cgroups named after it and the binfmt registration of its name.
// A cgroup and a folder can be removed a moment after the last process that uses them has died. The
// registration is there only where the machine itself has binfmt_misc mounted.
const cleanScript = `
cat >/dev/null
name=${1##*/}
try=0
while [ $try -lt 40 ]; do
  find ` + cgroupRoot + `/*/"$name"-node-* -depth -type d -exec rmdir {} + 2>/dev/null
  rm -rf "$1"
  left=$(ls -d "$1" ` + cgroupRoot + `/*/"$name"-node-* 2>/dev/null)
  [ -n "$left" ] || break
  try=$((try + 1))
  sleep 0.25
done
[ ! -e ` + binfmtDir + `/"$name" ] || echo -1 >` + binfmtDir + `/"$name"
[ -z "$left" ] || { echo "left: $left"; exit 1; }
`

func newCleaner(dir string) (*cleaner, error) {
	cmd := exec.Command("sh", "-c", cleanScript, "sh", dir)
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

// clean makes it run now, and waits.
func (c *cleaner) clean() error {
	c.stdin.Close()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("cleaning up: %w", err)
	}
	return nil
}
