package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/polyarch/polyarch/internal/builder"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// building is what the flags say about builds.
type building struct {
	platforms platform.List
	optional  platform.List
	builder   string
	context   string
	args      flagset.Lines
	jobs      int
	keepGoing bool
	noStitch  bool

	dockerfile      string
	target          string
	buildArgs       flagset.Lines
	labels          flagset.Lines
	ofMetadata      []string // labels that --metadata has
	secrets         flagset.Lines
	cacheFrom       flagset.Lines
	cacheTo         flagset.Lines
	platformTargets flagset.Words
	bases           string

	took map[string]time.Duration // by the reference of what was built
}

const auto = "auto"

func (b *building) flags(fs *flagset.Set) {
	fs.Group("Build")
	fs.Var(&b.platforms, "platform", "build for these `PLATFORMS`, for example linux/amd64,linux/arm64, and push each image under the first tag with a suffix, v1_linux_arm64")
	fs.Var(&b.optional, "optional", "let the index go out without these `PLATFORMS` if their builds fail or there is no image of them; with --append, keep the image that the tag has; with --no-stitch, hand the gap over; can be repeated")
	fs.String(&b.builder, "builder", auto, "build with this `TOOL`: "+strings.Join(builder.Names(), ", ")+"; auto chooses by the files in the folder and the tools that are installed, and says why")
	fs.String(&b.context, "context", ".", "the `FOLDER` to build")
	fs.Int(&b.jobs, "jobs", 0, "the maximum `NUMBER` of builds at a time (default: one per CPU)")
	fs.Bool(&b.keepGoing, "keep-going", false, "let the other builds finish when one fails")
	fs.Bool(&b.noStitch, "no-stitch", false, "build and push the platforms but make no index, and print the sources for a later stitch-index, which may run on another machine")
	fs.String(&b.dockerfile, "dockerfile", "", "the Dockerfile at `PATH`, relative to the current folder or to --context (default: Dockerfile or Containerfile in --context)")
	fs.String(&b.target, "target", "", "the `STAGE` of the Dockerfile to build; for ko the package, for Jib the module, for Bazel the label")
	fs.Var(&b.buildArgs, "build-arg", "a build argument, `NAME=VALUE`, or NAME to take its value from the environment; can be repeated, or one per line")
	fs.Var(&b.labels, "label", "add a label to the images that are built, `KEY=VALUE`; can be repeated, or one per line")
	fs.Var(&b.secrets, "secret", "a secret for RUN --mount=type=secret, `id=NAME,src=PATH` or id=NAME,env=VARIABLE; builders without mounts, and commands, get VARIABLE or NAME_FILE, a path; can be repeated, or one per line")
	fs.Var(&b.cacheFrom, "cache-from", "read this `CACHE`, in the builder's own syntax; {platform} stands for linux_arm64; can be repeated, or one per line")
	fs.Var(&b.cacheTo, "cache-to", "write this `CACHE`; use {platform} to give each platform its own; can be repeated, or one per line")
	fs.Choice(&b.bases, "check-bases", []string{basesFail, basesWarn, basesOff}, "before a build, look up the images that its Dockerfile, .ko.yaml or jib configuration starts and copies from: fail if one of them lacks a platform, warn, or look up nothing; what cannot be looked up is a note")
	fs.Var(&b.platformTargets, "platform-target", "the Bazel platform to build a platform with, `PLATFORM=LABEL`, for example linux/arm64=//platforms:arm64; can be repeated")
	fs.Var(&b.args, "builder-arg", "pass this `ARGUMENT` to the builder; can be repeated, or one per line")
}

// check refuses flags that contradict each other, before any work.
func (b *building) check(env *command.Env) error {
	if b.jobs < 0 {
		return exit.Usagef("flag --jobs: %d is less than one", b.jobs)
	}
	if b.builder == "" { // a parameter of a pipeline that is not given
		b.builder = auto
	}
	if len(b.platforms) > 0 {
		if b.builder != auto && b.builder != "custom" && len(env.Command) > 0 {
			return exit.Usagef("flag --builder: %s is named, and there is a command after --, which is a builder of its own", b.builder).
				Hint("leave one of them out; arguments for %s go into --builder-arg", b.builder)
		}
		return nil
	}
	if len(env.Command) > 0 {
		return exit.Usagef("flag --platform is missing: the command after -- is run for each platform").Hint("for example --platform linux/amd64,linux/arm64")
	}
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"builder", b.builder != auto}, {"jobs", b.jobs > 0}, {"keep-going", b.keepGoing}, {"no-stitch", b.noStitch},
		{"dockerfile", b.dockerfile != ""}, {"target", b.target != ""}, {"build-arg", b.buildArgs != nil}, {"label", b.labels != nil}, {"secret", b.secrets != nil},
		{"cache-from", b.cacheFrom != nil}, {"cache-to", b.cacheTo != nil}, {"platform-target", b.platformTargets != nil}, {"builder-arg", b.args != nil},
		{"check-bases", b.bases != basesFail},
	} {
		if f.given {
			return exit.Usagef("flag --%s is for builds, and --platform, which says what to build, is missing", f.name).
				Hint("for example --platform linux/amd64,linux/arm64")
		}
	}
	return nil
}

// request returns what to build, with paths that do not depend on where a
// builder is started.
func (b *building) request(env *command.Env, repo registry.Repository, tag string, insecure []string) (builder.Request, error) {
	r := builder.Request{
		Image: repo.String(), Tag: tag, Platforms: b.platforms, Optional: slices.DeleteFunc(slices.Clone(b.platforms), func(p platform.Platform) bool { return !b.optional.Covers(p) }),
		Target: b.target, BuildArgs: b.buildArgs, Labels: b.labels, Secrets: b.secrets, CacheFrom: b.cacheFrom, CacheTo: b.cacheTo,
		PlatformTargets: map[platform.Platform]string{},
		Args:            b.args,
		Loopback:        repo.Loopback(),
		PlainHTTP:       repo.Loopback() || slices.Contains(insecure, repo.Host),
		Host: builder.Host{
			Platform: platform.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH},
			Getenv:   env.Getenv,
			Look:     func(program string) bool { _, err := exec.LookPath(program); return err == nil },
			Exists:   func(path string) bool { _, err := os.Stat(path); return err == nil },
			Read:     readSmall,
		},
	}
	if len(env.Command) > 0 {
		r.Command = env.Command
	}
	var err error
	if r.Context, err = filepath.Abs(b.context); err != nil { // "" is the current folder
		return r, exit.Failf("finding the folder %s: %w", b.context, err)
	}
	if info, err := os.Stat(r.Context); err != nil || !info.IsDir() {
		return r, exit.Usagef("flag --context: %s is not a folder", b.context)
	}
	if b.dockerfile != "" {
		if r.Dockerfile, err = b.find(r.Context); err != nil {
			return r, err
		}
	}
	for _, t := range b.platformTargets {
		name, label, ok := strings.Cut(t, "=")
		p, err := platform.Parse(name)
		if err != nil || !ok || label == "" {
			return r, exit.Usagef("flag --platform-target: %q is not PLATFORM=LABEL", t).Hint("for example linux/arm64=//platforms:arm64")
		}
		r.PlatformTargets[p] = label
	}
	return r, nil
}

// find looks for the Dockerfile from here, as docker does, and then from the
// context, as Skaffold and Compose do.
func (b *building) find(context string) (string, error) {
	here, err := filepath.Abs(b.dockerfile)
	if err != nil {
		return "", exit.Failf("finding %s: %w", b.dockerfile, err)
	}
	for _, path := range []string{here, filepath.Join(context, b.dockerfile)} {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	return "", exit.Usagef("flag --dockerfile: there is no file %s, neither here nor in %s", b.dockerfile, context)
}

// choose returns the builder that was named, or one that fits.
func (b *building) choose(env *command.Env, r builder.Request) (builder.Builder, error) {
	if b.builder != auto {
		if b.builder == "custom" && r.Command == nil {
			return builder.Builder{}, exit.Usagef("flag --builder: custom is the command after --, and there is none").Hint("for example -- ./build.sh")
		}
		return builder.Lookup(b.builder)
	}
	tool, why, err := builder.Auto(r)
	if err == nil && tool.Program != "" {
		env.Log.Infof("building with %s: %s", tool.Name, why)
	}
	return tool, err
}

// readSmall returns the text of a file in the folder that is built, or "". A pipe
// or a device there would be waited for, and what is longer is none of a build's
// own files.
func readSmall(path string) string {
	const limit = 4 << 20
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > limit {
		return ""
	}
	text, _ := os.ReadFile(path)
	return string(text)
}
