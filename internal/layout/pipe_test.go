//go:build unix

package layout

import (
	"os"
	"path/filepath"
	"syscall"
)

// pipe puts a named pipe in place of a file of the layout.
func pipe(name string) func(dir, outside string) error {
	return func(dir, _ string) error {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
		return syscall.Mkfifo(filepath.Join(dir, name), 0o644)
	}
}
