package main

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/polyarch/polyarch/internal/builder"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// building is what the flags say about builds.
type building struct {
	platforms platform.List
	context   string
	jobs      int
	keepGoing bool
}

func (b *building) flags(fs *flagset.Set) {
	fs.Group("Build")
	fs.Var(&b.platforms, "platform", "build for these `PLATFORMS`, for example linux/amd64,linux/arm64, and push each under the first tag with a suffix, v1_linux_arm64")
	fs.String(&b.context, "context", ".", "the `FOLDER` to build")
	fs.Int(&b.jobs, "jobs", 0, "how `MANY` platforms to build at a time (default: one for each processor)")
	fs.Bool(&b.keepGoing, "keep-going", false, "when a build fails, let the others finish; by default they are ended")
}

// flagsOfBuilds do nothing without --platform.
var flagsOfBuilds = []string{"context", "jobs", "keep-going"}

// check refuses flags that contradict each other, before any work.
func (b *building) check(env *command.Env) error {
	if len(b.platforms) > 0 {
		if env.Command == nil {
			return exit.Usagef("there is nothing to build %s with", b.platforms).Hint("give a build command after --")
		}
		return nil
	}
	if env.Command != nil {
		return exit.Usagef("flag --platform is missing: the command after -- is run for each platform").Hint("for example --platform linux/amd64,linux/arm64")
	}
	for _, name := range flagsOfBuilds {
		if env.Flags.Given(name) {
			return exit.Usagef("flag --%s is for builds, and --platform, which says what to build, is missing", name)
		}
	}
	return nil
}

// build builds all platforms and gives what to stitch.
func build(ctx context.Context, env *command.Env, c *config) ([]index.Source, error) {
	repo, tags, err := c.target()
	if err != nil {
		return nil, err
	}
	request, err := c.request(env, repo, tags[0])
	if err != nil {
		return nil, err
	}
	tool, err := builder.Lookup("custom")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(tool.Scratch, "stitch-index-")
	if err != nil {
		return nil, exit.Failf("making a folder for the builds: %w", err)
	}
	defer os.RemoveAll(dir)
	legs, err := tool.Plan(request, dir)
	if err != nil {
		return nil, err
	}
	jobs := cmp.Or(c.build.jobs, runtime.GOMAXPROCS(0))
	runner := builder.Runner{
		Builder:   tool,
		Jobs:      jobs,
		KeepGoing: c.build.keepGoing,
		Environ:   env.Environ(),
		Watcher:   newConsole(env, legs),
	}
	results, err := runner.Run(ctx, legs)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	client := c.client(env)
	var sources []index.Source
	for _, r := range results {
		s, err := built(ctx, client, r)
		if err != nil {
			return nil, err
		}
		sources = append(sources, s)
	}
	return sources, nil
}

// request gives what to build, with paths that do not depend on where a
// builder is started.
func (c *config) request(env *command.Env, repo registry.Repository, tag string) (builder.Request, error) {
	b := &c.build
	folder, err := filepath.Abs(b.context)
	if err != nil {
		return builder.Request{}, exit.Failf("finding the folder %s: %w", b.context, err)
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return builder.Request{}, exit.Usagef("flag --context: %s is no folder", b.context)
	}
	host, err := platform.FromConfig(runtime.GOOS, runtime.GOARCH, "")
	if err != nil {
		return builder.Request{}, err
	}
	return builder.Request{
		Image:     repo.String(),
		Tag:       tag,
		Platforms: b.platforms,
		Context:   folder,
		Command:   env.Command,
		Host: builder.Host{
			Platform: host,
			Getenv:   env.Getenv,
			Look:     func(program string) bool { _, err := exec.LookPath(program); return err == nil },
			Exists:   func(path string) bool { _, err := os.Stat(path); return err == nil },
		},
	}, nil
}

// built gives what a build has pushed, as the registry says it, which is the
// one source of truth: a tool that reports another digest was overtaken.
func built(ctx context.Context, client *registry.Client, r builder.Result) (index.Source, error) {
	ref, err := registry.ParseReference(r.Leg.Ref)
	if err != nil {
		return index.Source{}, err
	}
	if folder := r.Pushed.Layout; folder != "" {
		ref.Digest, err = index.PushLayout(ctx, client, folder, ref)
		if err != nil {
			return index.Source{}, err
		}
	} else {
		m, err := client.Manifest(ctx, ref)
		if registry.NotFound(err) {
			return index.Source{}, exit.Failf("building %s: the build is done, and there is no %s", r.Leg.Name, ref).
				Hint("the build has to push the image that $IMAGE names, or leave it as an OCI layout in $%s", builder.LayoutVariable)
		}
		if err != nil {
			return index.Source{}, err
		}
		ref.Digest = m.Digest
	}
	if said := r.Pushed.Digest; said != "" && said != ref.Digest.String() {
		return index.Source{}, exit.Failf("building %s: %s was pushed as %s, and now is %s", r.Leg.Name, r.Leg.Ref, said, ref.Digest).
			Hint("does another run push to the same tag? give each its own --tag")
	}
	s := index.Source{Ref: ref.String(), Notes: r.Leg.Notes}
	if len(r.Leg.Platforms) == 1 {
		s.Platform = &r.Leg.Platforms[0]
	}
	return s, nil
}
