package tool

// The builders of images that come as Go modules.
var (
	Buildkitd = Program{Name: "buildkitd", Module: "buildkit", Package: buildkit + "/cmd/buildkitd", Version: buildkit}
	Buildctl  = Program{Name: "buildctl", Module: "buildkit", Package: buildkit + "/cmd/buildctl", Version: buildkit}
	Buildx    = Program{Name: "buildx", Module: "buildx", Package: "github.com/docker/buildx/cmd/buildx", Version: "github.com/docker/buildx"}
)

const buildkit = "github.com/moby/buildkit"
