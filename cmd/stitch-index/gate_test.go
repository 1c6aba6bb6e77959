package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
)

// A gate ends with the time limit, and one that a machine has no shell for is
// an error that says so.
func TestGatesThatCannotPass(t *testing.T) {
	env := newEnv(t)
	ctx, cancel := exit.WithTimeLimit(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := runGate(ctx, env, "sleep 600", nil)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the time limit of 100ms was reached") {
		t.Error(err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := runGate(t.Context(), env, "true", nil); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Error(err)
	}
}

// newEnv returns a program's surroundings, whose messages nobody reads.
func newEnv(t *testing.T) *command.Env {
	t.Helper()
	env := &command.Env{Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}, Getenv: func(string) string { return "" }}
	p := command.Program{Name: "stitch-index", Flags: (&config{}).flags, Run: func(context.Context, *command.Env) error { return nil }}
	if code := p.Exec(t.Context(), env, nil); code != exit.OK {
		t.Fatalf("exit code %d", code)
	}
	return env
}

// Whatever stands in --attach is an attachment with a type and a file, or wrong
// usage that says what to write.
func FuzzParseAttachment(f *testing.F) {
	for _, line := range []string{"text/plain=a.txt", "linux/arm64:application/spdx+json=sbom-{platform}.json", "arm64:x/y=a=b:c", "x=", "text/plain={platform}", "a/b=[{platform}"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		all, err := parseAttachment(line)
		if err != nil {
			if code := exit.CodeOf(err); code != exit.Usage && code != exit.Failed {
				t.Errorf("%q: exit code %d", line, code)
			}
			return
		}
		for _, a := range all {
			if a.Name == "" || !strings.Contains(a.ArtifactType, "/") || strings.ContainsAny(a.ArtifactType, " :=") {
				t.Errorf("%q: %+v", line, a)
			}
		}
	})
}
