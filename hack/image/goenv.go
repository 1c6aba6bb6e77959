package image

import (
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
)

// GoEnv gives the environment in which `go build` compiles a static program
// for p, whatever the user's own settings are.
func GoEnv(p platform.Platform) []string {
	env := []string{"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS=" + p.OS, "GOARCH=" + p.Arch}
	switch v := strings.TrimPrefix(p.Variant, "v"); {
	case v == "":
	case p.Arch == "arm":
		env = append(env, "GOARM="+v)
	case p.Arch == "arm64":
		env = append(env, "GOARM64="+p.Variant)
	case p.Arch == "amd64":
		env = append(env, "GOAMD64="+p.Variant)
	}
	return env
}
