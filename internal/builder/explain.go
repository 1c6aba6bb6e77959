package builder

import (
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

// explain makes of a failed command an error that says what to do.
func (b Builder) explain(leg Leg, e *StepError) error {
	program := e.Step.Argv[0]
	if errors.Is(e.Err, exec.ErrNotFound) || errors.Is(e.Err, fs.ErrNotExist) && e.Tail == nil {
		x := exit.Failf("starting %s: it was not found", program)
		if strings.ContainsRune(program, filepath.Separator) && !filepath.IsAbs(program) {
			return x.Hint("the command runs in the folder %s; write its path from there, or the whole path", e.Step.Dir)
		}
		if b.Remedy != "" {
			x.Hint("%s", b.Remedy)
		}
		return x
	}
	return exit.Failf("building %s with %s: %w", leg.Name, b.Name, e)
}
