package index

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// An Image is what becomes one child of the index.
type Image struct {
	Source       Source
	Manifest     *registry.Manifest // its bytes as they are stored; nil if it was kept from an older index
	Layers       []v1.Descriptor    // the base image's first
	Platform     platform.Platform
	Descriptor   v1.Descriptor // as it stands in the index
	Attestations []Attestation
	Verification *Verification // nil if it was not verified
	Transfer     Transfer

	place      place
	configAt   v1.Descriptor
	configText []byte
	config     *config        // nil if it was not read
	row        *Row           // nil if nobody looks
	blobs      []*blob        // that the target was asked about
	listed     *v1.Descriptor // as the index it comes from has it; nil if it comes from none
}

// An Attestation says how an image was built: a manifest that BuildKit puts
// into the index beside the image
// (github.com/moby/buildkit, docs/attestations/attestation-storage.md).
type Attestation struct {
	Descriptor v1.Descriptor
	Manifest   *registry.Manifest // nil if it is in the target's repository
}

// A Transfer counts what was done so that the target has an image's blobs.
type Transfer struct {
	Present int   `json:"present"` // the target had them, or mounted them from another repository
	Copied  int   `json:"copied"`
	Bytes   int64 `json:"bytes"` // of those that were copied
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
	case (m.MediaType.IsImage() || m.MediaType.IsIndex()) && m.MediaType != doc.MediaType:
		return nil, fmt.Errorf("its registry says that it is %s, and it says that it is %s", m.MediaType, doc.MediaType)
	case doc.MediaType.IsIndex() == doc.MediaType.IsImage():
		return nil, fmt.Errorf("it is %q, neither an image nor an index", doc.MediaType)
	case doc.MediaType.IsImage() && (doc.Config == nil || doc.Manifests != nil):
		return nil, errors.New("it says that it is an image and has no config")
	case doc.MediaType.IsIndex() && (doc.Config != nil || doc.Layers != nil):
		return nil, errors.New("it says that it is an index and has a config or layers")
	}
	all := slices.Concat(doc.Layers, doc.Manifests)
	if doc.Config != nil {
		all = append(all, *doc.Config)
	}
	for _, d := range all {
		if d.Size < 0 || d.Digest.Hex == "" {
			return nil, fmt.Errorf("it names %q with %d bytes, which cannot be", d.Digest, d.Size)
		}
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

// describe settles the platform. What the config leaves open, a declared
// platform or the index that lists the image may fill in; what it says, they
// must not contradict.
func (i *Image) describe() error {
	i.Descriptor = describe(i.Manifest)
	p := v1.Platform{}
	if i.listed != nil {
		i.Descriptor.Annotations, i.Descriptor.ArtifactType = i.listed.Annotations, i.listed.ArtifactType
		if l := i.listed.Platform; l != nil {
			p.OSVersion, p.OSFeatures = l.OSVersion, l.OSFeatures
		}
	}
	if i.config == nil {
		i.Platform = *i.claimed()
	} else {
		said, err := platform.FromConfig(i.config.OS, i.config.Architecture, i.config.Variant)
		if err != nil {
			return fmt.Errorf("its config: %w", err)
		}
		i.Platform = said
		if c := i.claimed(); c != nil && said.Covers(*c) {
			i.Platform = *c
		}
		if listed := i.listedPlatform(); listed != nil && !said.Covers(*listed) && !listed.Covers(said) {
			return fmt.Errorf("its index says that %s is for %s, and its config says %s", i.Manifest.Digest, listed, said)
		}
		if i.config.OSVersion != "" {
			p.OSVersion = i.config.OSVersion
		}
		if i.config.OSFeatures != nil {
			p.OSFeatures = i.config.OSFeatures
		}
	}
	p.OS, p.Architecture, p.Variant = i.Platform.OS, i.Platform.Arch, i.Platform.Variant
	i.Descriptor.Platform = &p
	return nil
}

// claimed gives the platform that others than the config say the image is
// for, or nil.
func (i *Image) claimed() *platform.Platform {
	if i.Source.Platform != nil {
		return i.Source.Platform
	}
	return i.listedPlatform()
}

func (i *Image) listedPlatform() *platform.Platform {
	if i.listed == nil {
		return nil
	}
	return platformOf(*i.listed)
}

// platformOf gives a descriptor's platform, or nil if it has none that means
// something.
func platformOf(d v1.Descriptor) *platform.Platform {
	if d.Platform == nil || d.Platform.OS == "unknown" || d.Platform.Architecture == "unknown" {
		return nil
	}
	p, err := platform.FromConfig(d.Platform.OS, d.Platform.Architecture, d.Platform.Variant)
	if err != nil {
		return nil
	}
	return &p
}
