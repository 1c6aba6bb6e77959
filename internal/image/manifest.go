package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// A Manifest is an image's manifest or an index, whichever the bytes are.
type Manifest struct {
	MediaType    types.MediaType   `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Config       *v1.Descriptor    `json:"config"`
	Layers       descriptors       `json:"layers"`
	Manifests    descriptors       `json:"manifests"`
	Annotations  map[string]string `json:"annotations"`

	Stored *registry.Manifest `json:"-"` // its bytes and digest
}

// descriptors is a list that is refused when it is longer than any image needs:
// four megabytes of "{}" are hundreds of megabytes of Go structs.
type descriptors []v1.Descriptor

// MaxEntries is how many layers an image, and how many entries an index, may
// have. Docker stops at 127 layers.
const MaxEntries = 1000

func (ds *descriptors) UnmarshalJSON(b []byte) error {
	return list((*[]v1.Descriptor)(ds), b, MaxEntries, "layers or entries")
}

// words are a list like descriptors: a program's arguments, or variables.
type words []string

const maxWords = 10_000

func (w *words) UnmarshalJSON(b []byte) error {
	return list((*[]string)(w), b, maxWords, "words in a list")
}

// list reads a JSON array of at most so many elements.
func list[T any](into *[]T, b []byte, most int, what string) error {
	d := json.NewDecoder(bytes.NewReader(b))
	t, err := d.Token()
	if err != nil || t == nil {
		return err
	}
	if t != json.Delim('[') {
		return fmt.Errorf("%s are not an array", what)
	}
	*into = []T{} // an empty list is one
	for d.More() {
		if len(*into) == most {
			return fmt.Errorf("it has more than %d %s", most, what)
		}
		var one T
		if err := d.Decode(&one); err != nil {
			return err
		}
		*into = append(*into, one)
	}
	return nil
}

// Parse reads a manifest and settles its media type, which it sets in m as
// well: the bytes decide, and must not contradict what the registry says they
// are.
func Parse(m *registry.Manifest) (*Manifest, error) {
	doc := Manifest{Stored: m}
	if err := Decode(m.Bytes, &doc); err != nil {
		return nil, fmt.Errorf("it is not a manifest: %w", err)
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
	m.MediaType = doc.MediaType
	return &doc, nil
}

// Runnable reports whether the manifest is of an image to run, rather than of
// an artifact that is stored as one: its artifactType or its config's media
// type tells (image-spec manifest.md, "Guidelines for Artifact Usage").
func (m *Manifest) Runnable() bool {
	return m.MediaType.IsImage() && runnable(m.ArtifactType) && strings.HasSuffix(string(m.Config.MediaType), "json") && m.Config.MediaType != emptyType
}

const emptyType = "application/vnd.oci.empty.v1+json"

func runnable(artifactType string) bool {
	return artifactType == "" || types.MediaType(artifactType).IsConfig()
}

// A Config is the part of an image's config that says what the image is for
// and what it starts (image-spec config.md).
type Config struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant"`
	OSVersion    string `json:"os.version"`
	OSFeatures   words  `json:"os.features"`
	Config       struct {
		Entrypoint words
		Cmd        words
		Env        words
		WorkingDir string
		User       string
	} `json:"config"`

	Stored []byte `json:"-"`
}

// ParseConfig reads an image's config.
func ParseConfig(d v1.Descriptor, b []byte) (*Config, error) {
	if !strings.HasSuffix(string(d.MediaType), "json") {
		return nil, fmt.Errorf("its config is %q, so it is not an image that can be run", d.MediaType)
	}
	c := &Config{Stored: b}
	if err := Decode(b, c); err != nil {
		return nil, fmt.Errorf("its config: %w", err)
	}
	return c, nil
}

// Platform returns what the config says the image is for.
func (c *Config) Platform() (platform.Platform, error) {
	p, err := platform.FromConfig(c.OS, c.Architecture, c.Variant)
	if err != nil {
		return p, fmt.Errorf("its config: %w", err)
	}
	return p, nil
}

// Decode reads one JSON document and nothing after it.
func Decode(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}

// Descriptor describes a stored manifest.
func Descriptor(m *registry.Manifest) v1.Descriptor {
	return v1.Descriptor{MediaType: m.MediaType, Size: int64(len(m.Bytes)), Digest: m.Digest}
}

// PlatformOf returns a descriptor's platform, or nil if it has none that means
// something.
func PlatformOf(d v1.Descriptor) *platform.Platform {
	if d.Platform == nil || d.Platform.OS == "unknown" || d.Platform.Architecture == "unknown" {
		return nil
	}
	p, err := platform.FromConfig(d.Platform.OS, d.Platform.Architecture, d.Platform.Variant)
	if err != nil {
		return nil
	}
	return &p
}

// Short returns a digest as people compare it.
func Short(d v1.Hash) string { return fmt.Sprintf("%s:%.12s", d.Algorithm, d.Hex) }
