package index

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// An Image is what becomes one child of the index.
type Image struct {
	Source     Source
	Repository registry.Repository // where it is read from
	Manifest   *registry.Manifest  // its bytes as they are stored
	Config     v1.Descriptor
	Layers     []v1.Descriptor // the base image's first
	Platform   platform.Platform
	Descriptor v1.Descriptor // as it stands in the index

	Verification *Verification // nil if it was not verified

	config *config // nil if it was not read
}

// A config is the part of an image's config that matters here
// (OCI image-spec, config.md).
type config struct {
	Architecture string   `json:"architecture"`
	OS           string   `json:"os"`
	Variant      string   `json:"variant"`
	OSVersion    string   `json:"os.version"`
	OSFeatures   []string `json:"os.features"`
	Config       struct {
		Entrypoint []string
		Cmd        []string
		Env        []string
		WorkingDir string
	} `json:"config"`
}

// manifest is an image manifest or an index, whichever the bytes are.
type manifest struct {
	MediaType types.MediaType `json:"mediaType"`
	Config    *v1.Descriptor  `json:"config"`
	Layers    []v1.Descriptor `json:"layers"`
	Manifests []v1.Descriptor `json:"manifests"`
}

// parseManifest reads a manifest and settles its media type: the bytes decide,
// and must not contradict what the registry says they are.
func parseManifest(m *registry.Manifest) (*manifest, error) {
	var doc manifest
	if err := decode(m.Bytes, &doc); err != nil {
		return nil, fmt.Errorf("it is no manifest: %w", err)
	}
	if doc.MediaType == "" {
		doc.MediaType = m.MediaType
	}
	switch {
	case m.MediaType != "" && (m.MediaType.IsImage() || m.MediaType.IsIndex()) && m.MediaType != doc.MediaType:
		return nil, fmt.Errorf("its registry says that it is %s, and it says that it is %s", m.MediaType, doc.MediaType)
	case doc.MediaType.IsIndex() == doc.MediaType.IsImage():
		return nil, fmt.Errorf("it is %q, neither an image nor an index", doc.MediaType)
	case doc.MediaType.IsImage() && (doc.Config == nil || doc.Manifests != nil):
		return nil, errors.New("it says that it is an image and has no config")
	case doc.MediaType.IsIndex() && (doc.Config != nil || doc.Layers != nil):
		return nil, errors.New("it says that it is an index and has a config or layers")
	}
	return &doc, nil
}

// decode reads one JSON document and nothing after it.
func decode(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}

// describe sets the platform and the descriptor from the config, or from the
// declared platform where no config was read.
func (i *Image) describe() error {
	i.Descriptor = v1.Descriptor{
		MediaType: i.Manifest.MediaType,
		Size:      int64(len(i.Manifest.Bytes)),
		Digest:    i.Manifest.Digest,
	}
	p := v1.Platform{}
	if i.config == nil {
		i.Platform = *i.Source.Platform
	} else {
		got, err := platform.FromConfig(i.config.OS, i.config.Architecture, i.config.Variant)
		if err != nil {
			return fmt.Errorf("its config: %w", err)
		}
		i.Platform = got
		p.OSVersion, p.OSFeatures = i.config.OSVersion, i.config.OSFeatures
	}
	p.OS, p.Architecture, p.Variant = i.Platform.OS, i.Platform.Arch, i.Platform.Variant
	i.Descriptor.Platform = &p
	return nil
}
