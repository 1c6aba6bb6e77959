package artifacts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/text"
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

// UnmarshalJSON leaves out the platform unknown/unknown, which BuildKit gives to
// attestations and other tools take over from there.
func (b *Build) UnmarshalJSON(raw []byte) error {
	type plain Build
	var in struct {
		*plain
		Platforms []json.RawMessage `json:"platforms"`
	}
	in.plain = (*plain)(b)
	if err := json.Unmarshal(raw, &in); err != nil {
		return err
	}
	b.Platforms = nil
	for _, text := range in.Platforms {
		if string(text) == `"unknown/unknown"` {
			continue
		}
		var p platform.Platform
		if err := json.Unmarshal(text, &p); err != nil {
			return err
		}
		b.Platforms = append(b.Platforms, p)
	}
	return nil
}

// Parse reads a file's content; name is what errors call it.
func Parse(name string, b []byte) (File, error) {
	var f File
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&f); err != nil {
		line := text.JSONLine(b, err)
		if line == 0 { // of platform.Platform
			line = 1 + bytes.Count(b[:dec.InputOffset()], []byte("\n"))
		}
		return File{}, exit.InFile(name, exit.Failf("%w", err).OnLine(line, 0).
			Hint(`an artifacts file is JSON: {"builds":[{"imageName":"app","tag":"repo/app:v1@sha256:…","platforms":["linux/amd64"]}]}`))
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

// Marshal returns the file's content.
func (f File) Marshal() []byte {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil { // strings always can
		panic(fmt.Sprintf("marshalling artifacts: %v", err))
	}
	return append(b, '\n')
}
