package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/polyarch/polyarch/internal/bases"
	"github.com/polyarch/polyarch/internal/builder"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/dockerfile"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
)

// What --check-bases says to do about a base that lacks a platform.
const (
	basesFail = "fail"
	basesWarn = "warn"
	basesOff  = "off"
)

// basesPatience is how long bases may take to be looked up: a build does not
// depend on it.
const basesPatience = 15 * time.Second

// checkBases looks at the images that builds read, by their Dockerfile or by the
// settings of ko and jib, before any of them is started. Only what is proved to
// go wrong is an error.
func (c *config) checkBases(ctx context.Context, env *command.Env, tool builder.Builder, r builder.Request) error {
	if c.build.bases == basesOff {
		return nil
	}
	from := basesFile{r.FindDockerfile(), readBases}
	if !tool.Has(builder.Dockerfile) {
		from = settingsOf(tool, r)
	}
	if from.read == nil {
		return nil
	}
	if len(r.Optional) > 0 { // whose builds may fail
		optional := r
		optional.Platforms, optional.Optional = r.Optional, nil
		if err := c.checkBasesFor(ctx, env, from, optional, basesWarn); err != nil {
			return err
		}
		r.Platforms = slices.DeleteFunc(slices.Clone(r.Platforms), r.Optional.Contains)
	}
	if len(r.Platforms) == 0 {
		return nil
	}
	return c.checkBasesFor(ctx, env, from, r, c.build.bases)
}

// checkBasesFor is checkBases for the platforms of a request, with what is to be
// done about a base that lacks one.
func (c *config) checkBasesFor(ctx context.Context, env *command.Env, from basesFile, r builder.Request, mode string) error {
	shown := nearest(from.path)
	note := func(format string, args ...any) {
		env.Log.Infof("note: %s: %s", shown, fmt.Sprintf(format, args...))
	}
	if a := changesBases(r.Args); a != "" {
		note("the bases were not looked at: --builder-arg %s may change them", a)
		return nil
	}
	all, notes, err := from.read(from.path, r)
	if err != nil {
		note("the bases were not looked at: %v", err)
		return nil
	}
	if len(all) > 0 {
		limited, cancel := context.WithTimeout(ctx, min(basesPatience, c.timeout))
		defer cancel()
		findings, more := bases.Check(limited, c.client(env, env.Log.Debugf), all)
		if ctx.Err() != nil {
			return exit.Ended(ctx, ctx.Err())
		}
		notes, err = append(notes, more...), c.judge(env, shown, findings, mode)
	}
	for _, n := range notes {
		note("%s", n)
	}
	return err
}

// judge warns of the findings, or refuses them.
func (c *config) judge(env *command.Env, shown string, findings []bases.Finding, mode string) error {
	var errs []error
	for _, f := range findings {
		if f.Proved && mode == basesFail {
			e := exit.Failf("checking the bases: %s:%d: %s: %s", shown, f.Line, f.By, f.Text).At(shown, f.Line, 0)
			if f.Hint != "" {
				e.Hint("%s", f.Hint)
			}
			errs = append(errs, e)
			continue
		}
		env.Log.WarnAt(shown, f.Line, 0, "%s:%d: %s: %s", shown, f.Line, f.By, f.Text)
		if f.Hint != "" {
			env.Log.Hintf("%s", f.Hint)
		}
	}
	if errs == nil {
		return nil
	}
	last := errs[len(errs)-1].(*exit.Error)
	last.Hint("leave the platform out of --platform, or take another base; --check-bases warn builds all the same")
	return errors.Join(errs...)
}

// A basesFile says which images builds read.
type basesFile struct {
	path string
	read func(path string, r builder.Request) ([]bases.Base, []string, error) // nil: nothing says so
}

// readBases returns the images that the builds read.
func readBases(path string, r builder.Request) ([]bases.Base, []string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, dockerfile.MaxSize+1))
	if err != nil {
		return nil, nil, err
	}
	f, err := dockerfile.Parse(text)
	if err != nil {
		return nil, nil, err
	}
	b := dockerfile.Build{Builder: r.Host.Platform, Target: r.Target, Args: map[string]string{}}
	if b.Builder.OS != "windows" || !slices.ContainsFunc(r.Platforms, func(p platform.Platform) bool { return p.OS == "windows" }) {
		b.Builder.OS = "linux" // where the builders of a Mac are, too
	}
	for _, a := range r.BuildArgs {
		name, value, given := strings.Cut(a, "=")
		if !given {
			value = r.Host.Getenv(name)
		}
		if given || value != "" {
			b.Args[name] = value
		}
	}
	return bases.Of(f, b, r.Platforms)
}

// changesBases returns the first of a builder's own arguments that may change
// which images are read, or "".
func changesBases(args []string) string {
	for _, a := range args {
		name, _, _ := strings.Cut(a, "=")
		switch name {
		case "-f", "--file", "--dockerfile", "--target", "--build-arg", "--build-arg-file", "--build-context", "--from", "--frontend", "--opt", "--local", "-Djib.from.image",
			"--platform", "--os", "--arch", "--variant", "--all-platforms", "--custom-platform", "--customPlatform", "--policy", "--source-policy-file",
			"--context", "--oci-layout", "--registry-mirror", "--registry-map", "--cpp-flag":
			return name
		}
	}
	return ""
}

// nearest returns a path as people here would write it.
func nearest(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}
