package image

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
)

// Compile builds the Go program pkg of the module in the folder dir for p and
// returns its content, which depends only on the source, the ldflags and the
// version of Go. What the compiler prints goes to this program's output.
func Compile(dir, pkg, ldflags string, p platform.Platform) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "compile-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	program := filepath.Join(tmp, "program")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid= "+ldflags, "-o", program, pkg)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), goEnv(p)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("compiling %s for %s: %w", pkg, p, err)
	}
	return os.ReadFile(program)
}

// goEnv returns the environment in which `go build` compiles a static program
// for p, whatever the user's own settings are.
func goEnv(p platform.Platform) []string {
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
