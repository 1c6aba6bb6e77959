package tool

import "fmt"

// The builders of images that come as Go modules.
var (
	Buildkitd = Program{Name: "buildkitd", Module: "buildkit", Package: buildkit + "/cmd/buildkitd", Version: buildkit}
	Buildctl  = Program{Name: "buildctl", Module: "buildkit", Package: buildkit + "/cmd/buildctl", Version: buildkit}
	Buildx    = Program{Name: "buildx", Module: "buildx", Package: "github.com/docker/buildx/cmd/buildx", Version: "github.com/docker/buildx"}
	// Kaniko is the executor of the fork that is maintained.
	Kaniko = Program{Name: "executor", Module: "kaniko", Package: kaniko + "/cmd/executor", Version: kaniko, LDFlags: "-X " + kaniko + "/pkg/version.version={version}"}
	Pack   = Program{Name: "pack", Module: "pack", Package: "github.com/buildpacks/pack", Version: "github.com/buildpacks/pack", LDFlags: "-X github.com/buildpacks/pack.Version={version}"}
)

// Lifecycle is what Cloud Native Buildpacks run in a container of the platform, and Launcher what an image of theirs
// starts with.
func Lifecycle(arch string) Program { return ofLifecycle("lifecycle", arch) }
func Launcher(arch string) Program  { return ofLifecycle("launcher", arch) }

func ofLifecycle(name, arch string) Program {
	return Program{Name: name, Module: "pack", Package: lifecycle + "/cmd/" + name, Version: lifecycle, Arch: arch, LDFlags: "-X " + lifecycle + "/cmd.Version={version}"}
}

const (
	buildkit  = "github.com/moby/buildkit"
	kaniko    = "github.com/chainguard-dev/kaniko"
	lifecycle = "github.com/buildpacks/lifecycle"
)

// Pinned returns the version that go.mod pins, "v1.2.3".
func (p Program) Pinned() (string, error) {
	v, err := p.version(moduleDir(p))
	if err != nil {
		return "", fmt.Errorf("finding the version of %s: %w", p.Name, err)
	}
	return v, nil
}
