package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/polyarch/polyarch/internal/builder"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/process"
	"github.com/polyarch/polyarch/internal/text"
)

// checkEvidence refuses flags of evidence where nothing could bear it.
func (c *config) checkEvidence() error {
	for _, f := range []struct{ name, instead string }{{"gate", "run the command after this one"}, {"attach", "attach it to what is pushed"}} {
		switch {
		case f.name == "gate" && len(c.gates) == 0 || f.name == "attach" && len(c.attach) == 0:
		case c.build.noStitch:
			return exit.Usagef("flag --%s is for an index, and --no-stitch makes none", f.name).Hint("give it to the run that stitches")
		case c.output != "":
			return exit.Usagef("flag --%s is for an index in a registry, which tools find by its digest, and --output writes to a layout", f.name).
				Hint("nobody pulls a layout before it is pushed: %s", f.instead)
		}
	}
	return nil
}

// gate returns what runs the commands of --gate, one after the other; nil if
// there are none.
func (c *config) gate(env *command.Env, to destination, w *watcher) func(context.Context, *index.Result) error {
	if len(c.gates) == 0 {
		return nil
	}
	if c.dryRun {
		for _, script := range c.gates {
			env.Log.Infof("would run the gate: %s", process.Redact(script))
		}
	}
	return func(ctx context.Context, r *index.Result) error {
		w.settle()
		dir, err := os.MkdirTemp("", "stitch-index-")
		if err != nil {
			return exit.Failf("making a folder for the gate: %w", err)
		}
		defer os.RemoveAll(dir)
		file := filepath.Join(dir, "image.json")
		doc, err := json.MarshalIndent(c.document(to, r), "", "  ")
		if err == nil {
			err = os.WriteFile(file, doc, 0o600)
		}
		if err != nil {
			return exit.Failf("describing the index to the gate: %w", err)
		}
		environ := append(builder.StepEnviron(env.Environ()), gateVariables(to.String(), r)...)
		environ = append(environ, "IMAGE_JSON="+file)
		for _, script := range c.gates {
			err := runGate(ctx, env, script, environ)
			if err == nil {
				continue
			}
			e := exit.Failf("publishing %s: %w: no tag was moved", to, err)
			switch {
			case errors.Is(err, exec.ErrNotFound):
				e.Hint("a gate runs in sh, which is not installed here: run stitch-index in an image that has it")
			case errors.Is(err, context.DeadlineExceeded):
				e.Hint("--timeout is for gates as well: give it more time")
			}
			return e.Hint("the index stands as %s@%s without a tag; registries remove that some day", to, r.Index.Digest)
		}
		return nil
	}
}

// gateVariables describe an index to a command.
func gateVariables(repo string, r *index.Result) []string {
	vars := []string{"IMAGE_REF=" + repo + "@" + r.Index.Digest.String(), "PLATFORMS=" + r.Platforms().String()}
	seen := map[string]bool{}
	for _, i := range r.Images {
		name := "IMAGE_" + strings.Map(func(c rune) rune {
			if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
				return c
			}
			return '_'
		}, i.Platform.String())
		if seen[name] && i.Zstd {
			name += "_zstd"
		}
		if !seen[name] { // of several for one platform, as Windows has them, the file says all
			vars = append(vars, name+"="+repo+"@"+i.Descriptor.Digest.String())
		}
		seen[name] = true
	}
	return vars
}

// runGate runs one command, and shows what it prints.
func runGate(ctx context.Context, env *command.Env, script string, environ []string) error {
	shown := process.Redact(script)
	line, done := gateConsole(env, shown)
	out := &process.Lines{Each: line}
	err := process.Run(ctx, process.Command{Argv: []string{"sh", "-e", "-c", script}, Env: environ}, out)
	done()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return exit.Ended(ctx, fmt.Errorf("the gate %s was ended", shown))
	}
	showFailure(env, "the gate", shown, out.Tail())
	return fmt.Errorf("the gate %s: %w", shown, err)
}

// gateConsole shows lines as they come: in a group where a CI system folds them.
func gateConsole(env *command.Env, title string) (line func(string), done func()) {
	switch {
	case env.Log.Quiet():
		return nil, func() {}
	case !env.Log.Grouped():
		env.Log.Infof("gate | $ %s", title)
		return func(s string) { env.Log.Infof("gate | %s", s) }, func() {}
	}
	r, w := io.Pipe()
	shown := make(chan bool)
	go func() {
		defer close(shown)
		env.Log.Group("gate: "+title, r)
	}()
	return func(s string) { fmt.Fprintln(w, text.Clean(s)) }, func() { w.Close(); <-shown }
}
