package tool

// Registries, and the programs that stitch indexes beside ours.
var (
	Distribution = Program{Name: "registry", Module: "distribution", Package: distribution + "/cmd/registry", Version: distribution, LDFlags: "-X " + distribution + "/version.version={version}"}

	Crane        = Program{Name: "crane", Module: "crane", Package: "github.com/google/go-containerregistry/cmd/crane", Version: "github.com/google/go-containerregistry"}
	Oras         = Program{Name: "oras", Module: "oras", Package: "oras.land/oras/cmd/oras", Version: "oras.land/oras"}
	Regctl       = Program{Name: "regctl", Module: "regctl", Package: "github.com/regclient/regclient/cmd/regctl", Version: "github.com/regclient/regclient"}
	ManifestTool = Program{Name: "manifest-tool", Module: "manifest-tool", Package: "github.com/estesp/manifest-tool/v2/cmd/manifest-tool", Version: "github.com/estesp/manifest-tool/v2"}
)

const distribution = "github.com/distribution/distribution/v3"
