// Package artifacts reads and writes the file that says what was built. The
// format is that of Skaffold's --build-artifacts, as polyarch extends it:
//
//	{"builds":[{"imageName":"hello","tag":"repo/hello:v1@sha256:…","platforms":["linux/amd64","linux/arm64"]}]}
package artifacts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
)

// A File lists the images that were built.
type File struct {
	Builds []Build `json:"builds"`
}

// A Build is one image.
type Build struct {
	ImageName string        `json:"imageName"`           // as manifests name it
	Tag       string        `json:"tag"`                 // REPO:TAG@DIGEST
	Platforms platform.List `json:"platforms,omitempty"` // Skaffold's own files have none
}

// Parse reads a file's content; name is what errors call it.
func Parse(name string, b []byte) (File, error) {
	var f File
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&f); err != nil {
		line := 1 + bytes.Count(b[:min(offset(err, dec), len(b))], []byte("\n"))
		return File{}, exit.Failf("reading %s: line %d: %w", name, line, err).At(name, line, 0).
			Hint(`an artifacts file is JSON: {"builds":[{"imageName":"app","tag":"repo/app:v1@sha256:…","platforms":["linux/amd64"]}]}`)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return File{}, exit.Failf("reading %s: there is more after the JSON document", name).At(name, 0, 0)
	}
	for i, build := range f.Builds {
		if build.ImageName == "" || build.Tag == "" {
			return File{}, exit.Failf("reading %s: builds[%d]: imageName and tag must both be set", name, i).At(name, 0, 0)
		}
		f.Builds[i].Platforms = platform.NewList(build.Platforms...)
	}
	return f, nil
}

// Marshal gives the file's content.
func (f File) Marshal() []byte {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil { // strings always can
		panic(fmt.Sprintf("marshalling artifacts: %v", err))
	}
	return append(b, '\n')
}

func offset(err error, dec *json.Decoder) int {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return int(syntax.Offset)
	case errors.As(err, &typ):
		return int(typ.Offset)
	}
	return int(dec.InputOffset())
}
