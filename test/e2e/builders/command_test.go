package builders

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// command returns the command that runs stitch-index for the builder.
func (b builder) command(t *testing.T, folder string, env, args, after []string) *exec.Cmd {
	t.Helper()
	if b.on != nil {
		return b.on(t, folder, env, args)
	}
	args = append(args, "--context", folder)
	if after != nil {
		args = append(append(args, "--"), after...)
	}
	return local(env, args...)
}

func (b builder) stitch(t *testing.T, folder string, env, args, after []string) run {
	t.Helper()
	return finish(t, b.command(t, folder, env, args, after), args)
}

// local runs stitch-index in the lab.
func local(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(lab, "bin/stitch-index"), args...)
	cmd.Env = environ(env...)
	return cmd
}

// A run is what stitch-index did.
type run struct {
	Stdout, Stderr string
	Code           int
}

func stitch(t *testing.T, env []string, args ...string) run {
	t.Helper()
	return finish(t, local(env, args...), args)
}

func finish(t *testing.T, cmd *exec.Cmd, args []string) run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Start()
	if err == nil {
		stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
		err = cmd.Wait()
		stop()
	}
	t.Logf("%.1f s: stitch-index %s", time.Since(start).Seconds(), strings.Join(args, " "))
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return run{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// pinned is the version of a program that a go.mod pins.
func pinned(p tool.Program) func() (string, error) {
	return func() (string, error) {
		v, err := p.Pinned()
		return strings.TrimPrefix(v, "v"), err
	}
}

var upstream = regexp.MustCompile(`^(?:\d+:)?(\d+\.\d+)`)

// debian is the first two numbers of an installed package's version: the rest changes with Debian's corrections.
func debian(name string) func() (string, error) {
	return func() (string, error) {
		b, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
		if err != nil {
			return "", fmt.Errorf("finding the version of the package %s: %w", name, err)
		}
		m := upstream.FindSubmatch(b)
		if m == nil {
			return "", fmt.Errorf("the package %s has the version %q", name, b)
		}
		return string(m[1]), nil
	}
}
