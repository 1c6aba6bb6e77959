package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/hack/image"
	"github.com/polyarch/polyarch/internal/platform"
)

// build is a custom build command of stitch-index: it cross-compiles the Go
// program in $BUILD_CONTEXT for $PLATFORM and leaves an image of it as an OCI
// layout in $OCI_LAYOUT. Nothing in the image depends on when or where it was
// built, so the digest does not either.
func build(getenv func(string) string) error {
	p, err := platform.Parse(getenv("PLATFORM"))
	if err != nil {
		return err
	}
	target := getenv("OCI_LAYOUT")
	if target == "" {
		return errors.New("OCI_LAYOUT is not set: this command is to be run by stitch-index, after --")
	}
	dir, err := os.MkdirTemp("", "demo-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "hello")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", program, ".")
	cmd.Dir = getenv("BUILD_CONTEXT")
	cmd.Env = append(os.Environ(), image.GoEnv(p)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	fmt.Printf("compiling for %s\n", p)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("compiling for %s: %w", p, err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return image.Image{
		Platform: p,
		Files:    []image.File{{Path: "hello", Mode: 0o755, Content: content}},
		Config:   v1.Config{Entrypoint: []string{"/hello"}, User: "65532:65532"},
	}.Write(target)
}
