package command

import (
	"io"
	"os"

	"github.com/polyarch/polyarch/internal/atomicfile"
	"github.com/polyarch/polyarch/internal/exit"
)

// install copies the running program to path, as one that everyone may run. Our
// images hold nothing else that could: no shell, no cp.
func install(path string) error {
	self, err := os.Executable()
	if err != nil {
		return exit.Failf("finding this program: %w", err)
	}
	from, err := os.Open(self)
	if err != nil {
		return exit.Failf("reading this program: %w", err)
	}
	defer from.Close()
	to, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer to.Abort()
	if _, err := io.Copy(to, from); err != nil {
		return exit.Failf("writing %s: %w", path, err)
	}
	if err := to.Chmod(0o755); err != nil {
		return exit.Failf("writing %s: %w", path, err)
	}
	return to.Commit()
}
