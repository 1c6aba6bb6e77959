package main

import (
	"errors"
	"fmt"

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
	layout := getenv("OCI_LAYOUT")
	if layout == "" {
		return errors.New("OCI_LAYOUT is not set: this command is to be run by stitch-index, after --")
	}
	fmt.Printf("compiling for %s\n", p)
	program, err := image.Compile(getenv("BUILD_CONTEXT"), ".", "", p)
	if err != nil {
		return err
	}
	return image.Image{
		Platform: p,
		Files:    []image.File{{Path: "hello", Mode: 0o755, Content: program}},
		Config:   v1.Config{Entrypoint: []string{"/hello"}, User: "65532:65532"},
	}.Write(layout)
}
