package builders

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

const platforms = "linux/amd64,linux/arm64"

// A builder is one as these tests run it.
type builder struct {
	name    string
	version func() (string, error) // of the program that ran
	start   func(*testing.T)       // its daemon, and what it needs in the registry
	env     []string
	more    func() []string // of env, known in the lab only
	args    []string        // for stitch-index
	after   []string        // the command after --
	project func(*testing.T, kind) project
	says    *regexp.Regexp // what a build that fails prints

	// What it shows beside what all show.
	features []feature
	again    string           // what serves it when it builds once more, for people
	cache    []string         // options for the builds that the cache serves
	forget   func(*testing.T) // what it remembers by itself
	// tlsOnly: it takes half a minute to find that a registry has no TLS, as jib does, which tries TLS eleven times.
	tlsOnly bool
	tier    string // how it runs; empty: for real
	cross   bool   // it reads a Dockerfile that cross-compiles
	// on returns the command that runs stitch-index where the builder is; nil: here.
	on func(t *testing.T, context string, env, args []string) *exec.Cmd
}

// A project is what is built.
type project struct {
	context   string
	args, env []string
	waits     func() bool // an endless build has come to where it waits
}

// A feature is what some builders have.
type feature string

const (
	labels  feature = "labels"
	secrets feature = "secrets"
)

func (b builder) shows(f feature) bool { return slices.Contains(b.features, f) }

// to is the registry of builds that need no password to show what they show.
func (b builder) to() string {
	if b.tlsOnly {
		return secure
	}
	return registry
}

var builders = []builder{
	{
		name: "buildah", cross: true, version: debian("buildah"),
		args: []string{"--builder", "buildah", "--builder-arg", "--layers"}, project: dockerfile(true, flagged), says: regexp.MustCompile(`it does not compile`),
		again: "its own layers (`--builder-arg --layers`)", features: []feature{labels, secrets},
		cache: []string{"--cache-to", registry + "/cache/buildah", "--cache-from", registry + "/cache/buildah"},
	},
	// A daemon for each build: before the one that stays, whose socket it would find.
	{
		name: "buildkit-daemonless", cross: true, version: pinned(tool.Buildkitd), env: []string{"BUILDKITD_FLAGS=--config " + lab + "/buildkitd.toml"},
		args: []string{"--builder", "buildkit"}, project: dockerfile(true, flagged), says: regexp.MustCompile(`it does not compile`),
		again: "a registry", features: []feature{labels, secrets}, cache: registryCache("buildkit-daemonless"),
	},
	{
		name: "buildkit", cross: true, version: pinned(tool.Buildkitd), start: startBuildkit,
		args: []string{"--builder", "buildkit"}, project: dockerfile(true, flagged), says: regexp.MustCompile(`it does not compile`),
		again: "a registry", features: []feature{labels, secrets}, cache: registryCache("buildkit"),
		forget: func(t *testing.T) { must(t, nil, "buildctl", "prune", "--all") },
	},
	{
		name: "buildx", cross: true, version: pinned(tool.Buildx), start: createInstance, env: []string{"BUILDX_BUILDER=remote"},
		args: []string{"--builder", "buildx"}, project: dockerfile(true, flagged), says: regexp.MustCompile(`it does not compile`),
		again: "a registry", features: []feature{labels, secrets}, cache: registryCache("buildx"),
		forget: func(t *testing.T) { must(t, nil, "buildctl", "prune", "--all") },
	},
	{
		name: "docker", cross: true, version: debian("docker.io"), start: startDocker,
		env:  []string{"DOCKER_HOST=" + dockerHost, "PATH=" + lab + "/docker:" + lab + "/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		args: []string{"--builder", "docker", "--builder-arg", "--network=host"}, project: dockerfile(true, flagged), says: regexp.MustCompile(`it does not compile`),
		again: "its own cache", features: []feature{labels, secrets},
	},
	{
		name: "kaniko", version: pinned(tool.Kaniko), start: kanikoImage, on: inKaniko,
		args: []string{"--builder", "kaniko"}, project: dockerfile(false, inWorkspace), says: regexp.MustCompile(`error building image: .*exit status 42`),
		again: "a registry", features: []feature{labels},
		cache: []string{"--builder-arg", "--cache=true", "--builder-arg", "--cache-repo=" + registry + "/cache/kaniko"},
	},
	{
		name: "ko", version: pinned(tool.Ko),
		args: []string{"--builder", "ko", "--builder-arg", "--sbom=none"}, project: goProject, says: regexp.MustCompile(`main\.go:\d+:\d+: syntax error`),
		again: "identical", features: []feature{labels},
	},
	{
		name: "jib-maven", version: func() (string, error) { return jibVersion, nil }, start: startJava,
		args: []string{"--builder", "jib-maven"}, more: mavenEnv, tlsOnly: true, project: javaProject, says: regexp.MustCompile(`COMPILATION ERROR`),
		again: "identical", features: []feature{secrets},
	},
	{
		name: "bazel", version: debian("bazel-bootstrap"),
		args: []string{"--builder", "bazel", "--platform-target", "linux/amd64=//:amd64,linux/arm64=//:arm64"}, project: bazelProject, says: regexp.MustCompile(`ERROR: .*BUILD\.bazel:\d+:\d+: Executing genrule //:broken failed`),
		again: "`--disk_cache`", features: []feature{secrets},
		// what it has built is at one path for all platforms, and one takes the other's place
		cache: []string{"--builder-arg", "--disk_cache=" + lab + "/bazel-cache"},
	},
	{
		name: "pack", version: pinned(tool.Pack), start: startPack, env: []string{"DOCKER_HOST=" + dockerHost},
		args: []string{"--builder", "pack", "--builder-arg", "--trust-builder", "--builder-arg", "--network=host"}, project: packProject, says: regexp.MustCompile(`ERROR: failed to build: exit status`),
		again: "`--cache-image`", features: []feature{secrets},
		cache: []string{"--builder-arg", "--cache-image=" + registry + "/cache/pack:{platform}"},
	},
	{
		name: "gcb", cross: true, tier: "stand-in for the service, which takes an account: the same commands with docker", version: debian("docker.io"), start: startCloudBuild,
		env:  []string{"DOCKER_HOST=" + dockerHost},
		args: []string{"--builder", "gcb"}, tlsOnly: true, project: dockerfile(false, flagged), says: regexp.MustCompile(`it does not compile`),
		again: "the daemon's cache",
	},
	{
		name: "custom", cross: true, version: debian("buildah"), args: []string{"--jobs", "1"}, after: []string{"sh", "-c", `
set -e
buildah build --quiet --layers --platform $PLATFORM --build-arg BUILDPLATFORM=linux/amd64 --build-arg GOLANG=` + registry + `/base/golang:1 -f ${FILE:-Dockerfile} -t $IMAGE .
buildah push --quiet $IMAGE oci:$OCI_LAYOUT`},
		project: dockerfile(false, func(name string) project { return project{env: []string{"FILE=" + name}} }), says: regexp.MustCompile(`it does not compile`),
		again: "buildah's layers",
	},
}

// registryCache is one in a registry, with a tag for each platform.
func registryCache(name string) []string {
	ref := "type=registry,ref=" + registry + "/cache/" + name + ":{platform}"
	return []string{"--cache-to", ref + ",mode=max", "--cache-from", ref}
}

// TestBuilders has every builder make the same images, well and badly.
func TestBuilders(t *testing.T) {
	emulate(t)
	sample := filepath.Join(root(), "samples/hello")
	for _, b := range builders {
		t.Run(b.name, func(t *testing.T) {
			if b.more != nil {
				b.env = append(b.env, b.more()...)
			}
			if b.start != nil {
				b.start(t)
			}
			everyCase(t, b)
			if !b.cross {
				return
			}
			t.Run("cross", func(t *testing.T) { // it cross-compiles, with its compiler in an image
				args := append([]string{"--image", b.to() + "/" + b.name + "/cross", "--tag", "v1", "--platform", platforms}, b.args...)
				if b.after == nil {
					args = append(args, "--build-arg", "GOLANG="+registry+"/base/golang:1")
				}
				ran(t, built(t, b.to()+"/"+b.name+"/cross", b.stitch(t, sample, b.env, args, b.after)))
			})
		})
	}
}
