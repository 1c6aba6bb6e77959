package builder

import (
	"path/filepath"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

// Auto picks a builder from what the context folder and the machine hold, and
// says why. The kind of project decides first, then which tools can build it
// here.
func Auto(r Request) (b Builder, why string, err error) {
	in := func(name string) string { return filepath.Join(r.Context, name) }
	has := func(name string) bool { return r.Host.Exists(in(name)) }
	holds := func(name, word string) bool { return has(name) && strings.Contains(r.Host.Read(in(name)), word) }
	h := r.Host
	switch {
	case r.Command != nil:
		return custom(), "there is a command after --", nil
	case len(r.PlatformTargets) > 0:
		return bazel(), "--platform-target is given, which only Bazel has", nil
	case r.Dockerfile != "" || has("Dockerfile") || has("Containerfile"):
		return forDockerfile(r)
	case holds("pom.xml", "jib-maven-plugin"):
		return jibMaven(), "pom.xml has the jib-maven-plugin", nil
	case holds("build.gradle", "com.google.cloud.tools.jib"), holds("build.gradle.kts", "com.google.cloud.tools.jib"):
		return jibGradle(), "the Gradle build has the jib plugin", nil
	case has(".ko.yaml"):
		return ko(), "there is a .ko.yaml", nil
	case has("go.mod") && h.Look("ko"):
		return ko(), "there is a Go module without a Dockerfile, and ko is installed", nil
	case holds("project.toml", "buildpacks"):
		return pack(), "project.toml names buildpacks", nil
	}
	return Builder{}, "", exit.Failf("choosing a builder: nothing in %s says how to build it: there is no Dockerfile, no Maven or Gradle build with jib, no .ko.yaml, no project.toml", r.Context).
		Hint("name another folder with --context, a builder with --builder, or a build command after --")
}

// forDockerfile picks a builder that can build a Dockerfile here and has the
// options that were given.
func forDockerfile(r Request) (Builder, string, error) {
	h := r.Host
	var missing []string
	for _, c := range []struct {
		Builder
		here bool
		why  string
	}{
		{kaniko(), h.Exists(kanikoExecutor), "this is kaniko's image"},
		{buildkit(), h.Look("buildctl") && buildkitAt(h) != "", "buildctl is installed, and a daemon is at " + buildkitAt(h)},
		{buildx(), h.Look("docker") && h.Getenv("BUILDX_BUILDER") != "", "BUILDX_BUILDER names an instance of buildx"},
		{docker(), h.Look("docker") && dockerAt(h) != "", "docker is installed, and a daemon is at " + dockerAt(h)},
		{buildx(), h.Look("docker") && dockerAt(h) != "", "docker is installed, and a daemon is at " + dockerAt(h)},
		{buildah(), h.Look("buildah"), "buildah is installed"},
		{buildx(), h.Look("buildx"), "buildx is installed"},
		{buildkit(), buildctl(h) == daemonless, daemonless + " is installed"},
	} {
		if !c.here {
			continue
		}
		if lacks := c.lacks(r); lacks != "" {
			missing = append(missing, c.Name+" has no --"+string(lacks))
			continue
		}
		return c.Builder, "there is a Dockerfile, and " + c.why, nil
	}
	e := exit.Failf("choosing a builder: there is a Dockerfile, and nothing to build it with: no docker daemon, BuildKit daemon or buildah was found")
	if missing != nil {
		e = exit.Failf("choosing a builder: there is a Dockerfile, and what is installed cannot build it as asked: %s", strings.Join(missing, ", "))
	}
	return Builder{}, "", e.Hint("install one of them (buildah needs no daemon), name one with --builder, or give a build command after --")
}

// buildkitAt and dockerAt return where a daemon should be, or "".
func buildkitAt(h Host) string {
	if a := h.Getenv("BUILDKIT_HOST"); a != "" || !h.Exists(buildkitSocket) {
		return a
	}
	return buildkitSocket
}

func dockerAt(h Host) string {
	const socket = "/var/run/docker.sock"
	if a := h.Getenv("DOCKER_HOST"); a != "" || !h.Exists(socket) {
		return a
	}
	return socket
}
