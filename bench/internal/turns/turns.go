// Package turns runs programs in turn, so that whatever else the machine does
// falls on all of them, and records what each run costs.
package turns

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A Cost is what one run of a program took.
type Cost struct {
	Wall   time.Duration
	Memory int64         // peak resident, in bytes
	CPU    time.Duration // of all its processes
}

// Main runs a benchmark until it is done or a signal ends it, and exits with 1
// after an error.
func Main(name string, bench func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

// Build builds packages of this module, named from the caller's folder, to
// dir, and the program that measures others; its path is what Run wants.
func Build(ctx context.Context, dir string, packages ...string) (measure string, err error) {
	_, here, _, _ := runtime.Caller(0)
	_, caller, _, _ := runtime.Caller(1)
	argv := append([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", dir, filepath.Join(filepath.Dir(here), "measure")}, packages...)
	cmd := exec.CommandContext(ctx, "go", argv...)
	cmd.Dir = filepath.Dir(caller)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", strings.Join(packages, ", "), err, out)
	}
	return filepath.Join(dir, "measure"), nil
}

// Run runs a program with its output dropped.
func Run(ctx context.Context, measure string, argv []string) (Cost, error) {
	var c Cost
	var errs strings.Builder
	cmd := exec.CommandContext(ctx, measure, argv...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return c, fmt.Errorf("running %s: %w\n%s", strings.Join(argv, " "), err, errs.String())
	}
	if _, err := fmt.Sscan(string(out), &c.Wall, &c.Memory, &c.CPU); err != nil {
		return c, fmt.Errorf("reading what measure printed, %q: %w", out, err)
	}
	return c, nil
}

// Median returns the median of a figure of some runs.
func Median[R any, T cmp.Ordered](runs []R, figure func(R) T) T {
	var all []T
	for _, r := range runs {
		all = append(all, figure(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// LoadAverage says how busy the machine is.
func LoadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(b), " ")
	return load
}
