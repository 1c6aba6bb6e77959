package main

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/builder"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/platform"
)

// A terminal has one line for each build, and then what failed.
func TestLiveLines(t *testing.T) {
	amd64 := builder.Leg{Name: "linux/amd64", Platforms: platform.List{{OS: "linux", Arch: "amd64"}}}
	arm64 := builder.Leg{Name: "linux/arm64", Platforms: platform.List{{OS: "linux", Arch: "arm64"}}}
	var stderr bytes.Buffer
	p := command.Program{Name: "stitch-index", Flags: (&config{}).flags, Run: func(_ context.Context, env *command.Env) error {
		l := newLive(base{env: env, width: len(amd64.Name)}, []builder.Leg{amd64, arm64}, 60)
		step := builder.Step{Argv: []string{"docker", "build", "."}}
		l.Running(amd64, step)
		l.Line(amd64, "#1 load\tbuild \x1b[31mdefinition")
		l.Running(arm64, step)
		l.Ended(amd64, nil)
		l.Ended(arm64, &builder.StepError{Step: step, Tail: []string{"no", "luck"}, Err: errors.New("exit status 1")})
		l.close()
		return nil
	}}
	if code := p.Exec(t.Context(), &command.Env{Stdout: &bytes.Buffer{}, Stderr: &stderr, Getenv: func(string) string { return "" }}, nil); code != 0 {
		t.Fatalf("code %d: %s", code, stderr.String())
	}
	screen := regexp.MustCompile(` +\d+\.\ds`).ReplaceAllString(stderr.String(), " 0s")
	frames := strings.Split(screen, "\x1b[2A")
	want := "\r\x1b[Klinux/amd64 0s  built\n\r\x1b[Klinux/arm64 0s  failed\n" +
		"stitch-index: the build for linux/arm64 failed; its command was\nstitch-index:   docker build .\n" +
		"stitch-index: and it said last\nstitch-index:   no\nstitch-index:   luck\n"
	if d := cmp.Diff(want, frames[len(frames)-1]); d != "" {
		t.Error(d)
	}
	if first := frames[0]; first != "\r\x1b[Klinux/amd64 0s  waiting\n\r\x1b[Klinux/arm64 0s  waiting\n" {
		t.Errorf("first %q", first)
	}
}
