package image

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/registry"
)

const (
	digest    = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	imageText = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"` + digest + `"},"layers":[]}`
	indexText = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
)

func TestParseManifest(t *testing.T) {
	for name, c := range map[string]struct {
		said types.MediaType
		text string
		want string // the media type, or a part of the error
	}{
		"an image":                 {types.OCIManifestSchema1, imageText, string(types.OCIManifestSchema1)},
		"an index":                 {types.OCIImageIndex, indexText, string(types.OCIImageIndex)},
		"a type from its header":   {types.OCIImageIndex, `{"manifests":[]}`, string(types.OCIImageIndex)},
		"a vague header":           {"text/plain", imageText, string(types.OCIManifestSchema1)},
		"another type than said":   {types.OCIImageIndex, imageText, "its registry says that it is"},
		"both at once":             {"", strings.Replace(imageText, `"layers"`, `"manifests":[],"layers"`, 1), "has no config"},
		"an index with layers":     {"", strings.Replace(indexText, `"manifests"`, `"layers":[],"manifests"`, 1), "has a config or layers"},
		"schema 1":                 {types.DockerManifestSchema1, `{"schemaVersion":1}`, "neither an image nor an index"},
		"too many layers":          {"", strings.Replace(imageText, `"layers":[]`, `"layers":[`+strings.Repeat(`{},`, MaxEntries)+`{}]`, 1), "more than 1000 layers or entries"},
		"layers that are none":     {"", strings.Replace(imageText, `"layers":[]`, `"layers":{}`, 1), "not an array"},
		"no JSON":                  {types.OCIImageIndex, "<html>", "it is not a manifest"},
		"two documents":            {types.OCIImageIndex, indexText + "{}", "something follows its end"},
		"a size below zero":        {"", strings.Replace(imageText, `"layers":[]`, `"layers":[{"size":-1,"digest":"`+digest+`"}]`, 1), "which cannot be"},
		"a config below zero":      {"", strings.Replace(imageText, `"size":2`, `"size":-2`, 1), "which cannot be"},
		"a digest that is none":    {"", strings.Replace(imageText, digest, "sha256:12", 1), "it is not a manifest"},
		"a layer without a digest": {"", strings.Replace(imageText, `"layers":[]`, `"layers":[{"size":1}]`, 1), "which cannot be"},
	} {
		doc, err := Parse(&registry.Manifest{MediaType: c.said, Bytes: []byte(c.text)})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = string(doc.MediaType)
		}
		if !strings.Contains(got, c.want) || err == nil && got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// What is accepted is an image or an index, and not both.
func FuzzParseManifest(f *testing.F) {
	for _, s := range []string{imageText, indexText, "{}", `{"manifests":[{"digest":"` + digest + `","size":1,"platform":{"os":"linux","architecture":"arm64"}}]}`} {
		f.Add(string(types.OCIImageIndex), s)
	}
	f.Fuzz(func(t *testing.T, said, text string) {
		m := &registry.Manifest{MediaType: types.MediaType(said), Bytes: []byte(text)}
		doc, err := Parse(m)
		if err != nil {
			return
		}
		if doc.MediaType.IsImage() == doc.MediaType.IsIndex() || doc.MediaType.IsImage() != (doc.Config != nil) {
			t.Errorf("it is %q, with config %v", doc.MediaType, doc.Config)
		}
		for _, d := range doc.Manifests {
			PlatformOf(d)
		}
	})
}
