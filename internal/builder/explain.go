package builder

import (
	"cmp"
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/text"
)

// A symptom is what tools print when something is wrong that the user can fix.
type symptom struct {
	words []string // in lower case; one of them in one of the last lines
	cause string   // a clause for the error's message
	code  exit.Code
	hints func(b Builder, leg Leg) []string
}

// saidLast is how many of the last lines are looked at: what a test suite
// prints while it passes is not why a build failed.
const saidLast = 40

var symptoms = []symptom{
	{
		words: []string{"exec format error"},
		cause: "this machine does not run programs of that platform",
		code:  exit.Failed,
		hints: func(_ Builder, leg Leg) []string { return emulationHints(leg) },
	},
	{
		words: []string{"no space left on device", "disk quota exceeded"},
		cause: "the disk is full",
		code:  exit.Failed,
		hints: func(b Builder, _ Leg) []string {
			if b.clean == "" {
				return []string{"make room where the build writes"}
			}
			return []string{"make room, for example with: " + b.clean}
		},
	},
	{
		words: []string{"permission denied while trying to connect to the docker daemon", "dial unix /var/run/docker.sock: connect: permission denied"},
		cause: "its daemon does not let this user in",
		code:  exit.Denied,
		hints: func(Builder, Leg) []string {
			return []string{"add the user to the group docker, or use a builder that needs no daemon: --builder buildah"}
		},
	},
	{
		words: []string{"cannot connect to the docker daemon", "error during connect:", "failed to connect to the docker api", "failed to ping docker", "dial unix /var/run/docker.sock"},
		cause: "its daemon cannot be reached",
		code:  exit.Unreachable,
		hints: func(b Builder, _ Leg) []string {
			return []string{"start Docker, or set DOCKER_HOST to where it is", "buildah needs no daemon: --builder buildah"}
		},
	},
	{
		words: []string{"buildkitd.sock: connect:", "could not connect to unix:", "failed to list workers", "listing workers for", "failed to find driver", "no builder \"", "> [internal] waiting for connection"},
		cause: "its daemon cannot be reached",
		code:  exit.Unreachable,
		hints: func(b Builder, _ Leg) []string {
			return []string{cmp.Or(b.daemon, "start buildkitd, or set BUILDKIT_HOST to where it is")}
		},
	},
	{
		words: []string{"unauthorized:", "authentication required", "no basic auth credentials", "insufficient_scope", "denied: requested access", "pull access denied", "denied: permission", "error: denied", "access forbidden", "403 forbidden", "401 unauthorized"},
		cause: "a registry wants another login",
		code:  exit.Denied,
		hints: func(b Builder, leg Leg) []string {
			host, _, _ := strings.Cut(leg.Ref, "/")
			return []string{"log in to push, with: " + cmp.Or(b.login, "docker login ") + host, "the base images' registries may want a login too; the lines above say which it was"}
		},
	},
	{
		words: []string{"buildx component is missing or broken", "unknown command: docker buildx", "'buildx' is not a docker command"},
		cause: "Docker's buildx plugin is missing",
		code:  exit.Failed,
		hints: func(Builder, Leg) []string {
			return []string{"install it (the package docker-buildx or docker-buildx-plugin), or use --builder buildah"}
		},
	},
	{
		words: []string{"is not supported for the docker driver", "does not currently support exporting"},
		cause: "Docker's own builder has no such cache or output",
		code:  exit.Failed,
		hints: func(Builder, Leg) []string {
			return []string{"give buildx a builder that has them: docker buildx create --use; in GitHub Actions, docker/setup-buildx-action before this step"}
		},
	},
	{
		words: []string{"no plugin found for prefix 'jib'", "task 'jib' not found"},
		cause: "the project's build does not have the jib plugin",
		code:  exit.Failed,
		hints: func(Builder, Leg) []string {
			return []string{"add it to the build file, at 3.2.0 or newer: com.google.cloud.tools:jib-maven-plugin in pom.xml, the plugin com.google.cloud.tools.jib in Gradle's"}
		},
	},
	{
		words: []string{"but jib requires gradle"},
		cause: "this Gradle is too old for the jib plugin",
		code:  exit.Failed,
		hints: func(Builder, Leg) []string {
			return []string{"give the project a wrapper of a newer one, which is used where there is one: gradle wrapper --gradle-version=8.14"}
		},
	},
	{
		words: []string{"set the configuration parameter 'allowinsecureregistries'"},
		cause: "a registry has no TLS, or a certificate that Java does not trust",
		code:  exit.Failed,
		hints: func(Builder, Leg) []string {
			return []string{"for a registry without TLS: --builder-arg -Djib.allowInsecureRegistries=true", "for a private authority: MAVEN_OPTS or GRADLE_OPTS with -Djavax.net.ssl.trustStore=FILE"}
		},
	},
	{
		words: []string{"fetching lifecycle image"},
		cause: "the lifecycle's image cannot be pulled",
		code:  exit.Unreachable,
		hints: func(Builder, Leg) []string {
			return []string{"a builder image that you trust brings its own lifecycle: --builder-arg --trust-builder", "or name a copy of it: --builder-arg --lifecycle-image=REFERENCE"}
		},
	},
	{
		words: []string{"unknown flag:", "unknown shorthand flag", "unrecognized option", "unknown option", "flag provided but not defined", "unknown command", "unknown instruction: build"},
		cause: "it does not know what it was told to do",
		code:  exit.Failed,
		hints: func(b Builder, _ Leg) []string {
			return []string{"is the " + b.Name + " that is installed too old, or a --builder-arg wrong?"}
		},
	},
}

func emulationHints(leg Leg) []string {
	return []string{
		"install emulation: docker run --privileged --rm tonistiigi/binfmt --install " + leg.Platforms[0].Arch + ", or the package qemu-user-static",
		"or cross-compile, which needs none and is 7 to 10 times as fast: FROM --platform=$BUILDPLATFORM for the compiler's stage, and $TARGETARCH for the compiler",
		"or build " + leg.Name + " on a machine of its own with --no-stitch, and stitch the images",
	}
}

// qemuNames are those under which QEMU's user emulators are registered with
// Linux, by QEMU's own script, by Debian and by tonistiigi/binfmt.
var qemuNames = map[string]string{
	"386": "i386", "amd64": "x86_64", "arm": "arm", "arm64": "aarch64", "loong64": "loongarch64", "mips64le": "mips64el",
	"ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x",
}

// lacksEmulator reports whether this machine looks as if it cannot run the
// leg's programs. Builds that cross-compile need not, so it is only a hint
// after a failure.
func lacksEmulator(h Host, leg Leg) bool {
	const binfmt = "/proc/sys/fs/binfmt_misc/"
	if h.Platform.OS != "linux" || len(leg.Platforms) != 1 || !h.Exists(binfmt+"status") {
		return false
	}
	p := leg.Platforms[0]
	name := qemuNames[p.Arch]
	native := p.Arch == h.Platform.Arch || p.Arch == "386" && h.Platform.Arch == "amd64" || p.Arch == "arm" && h.Platform.Arch == "arm64"
	return p.OS == "linux" && !native && name != "" && !h.Exists(binfmt+"qemu-"+name)
}

// explain turns a failed command into an error that says what to do.
func (b Builder) explain(h Host, leg Leg, e *StepError) error {
	var exited *exec.ExitError
	if !errors.As(e.Err, &exited) {
		return b.unstarted(h, e)
	}
	for _, s := range symptoms {
		line := find(e.Tail, s.words)
		if line == "" {
			continue
		}
		x := &exit.Error{Code: s.code, Err: exit.Failf("building %s with %s: %s: %w (%s)", leg.Name, b.Name, s.cause, e, line)}
		for _, h := range s.hints(b, leg) {
			x.Hint("%s", h)
		}
		return x
	}
	x := exit.Failf("building %s with %s: %w", leg.Name, b.Name, e)
	if b.emulates && lacksEmulator(h, leg) {
		x.Hint("no emulator for %s is registered with this machine; if a RUN failed, that may be why", leg.Platforms[0].Arch)
		for _, hint := range emulationHints(leg) {
			x.Hint("%s", hint)
		}
	}
	return x
}

// unstarted explains a command that did not even start.
func (b Builder) unstarted(h Host, e *StepError) error {
	program := e.Step.Argv[0]
	path := program
	if !filepath.IsAbs(path) {
		path = filepath.Join(e.Step.Dir, path)
	}
	switch {
	case errors.Is(e.Err, exec.ErrNotFound), errors.Is(e.Err, fs.ErrNotExist) && !h.Exists(path):
		x := exit.Failf("starting %s: it was not found", program)
		if b.Remedy != "" {
			return x.Hint("%s", b.Remedy)
		}
		if path != program && strings.ContainsRune(program, filepath.Separator) {
			x.Hint("the command runs in the folder %s; write its path from there, or the whole path", e.Step.Dir)
		}
		return x
	case errors.Is(e.Err, fs.ErrNotExist):
		return exit.Failf("starting %s: the interpreter that its first line names was not found", program).Hint("install it, or name another, such as #!/bin/sh")
	case errors.Is(e.Err, fs.ErrPermission):
		return exit.Failf("starting %s: it may not be executed", program).Hint("chmod +x %s", program)
	case strings.Contains(e.Err.Error(), "exec format error"):
		return exit.Failf("starting %s: it is not a program for this machine, nor a script whose first line names an interpreter", program).
			Hint("begin a script with #!/bin/sh, or write sh %s", program)
	}
	return exit.Failf("starting %s: %w", program, e)
}

// find returns the last line that has one of the words, shortened.
func find(tail []string, words []string) string {
	for i := len(tail) - 1; i >= max(0, len(tail)-saidLast); i-- {
		lower := strings.ToLower(tail[i])
		for _, w := range words {
			if at := strings.Index(lower, w); at >= 0 {
				line := text.Line(tail[i])
				if len(line) > 200 {
					line = strings.ToValidUTF8(line[:200], "") + "…"
				}
				return line
			}
		}
	}
	return ""
}
