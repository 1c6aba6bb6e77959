package index

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// Options say what the index looks like beyond its images.
type Options struct {
	MediaType   types.MediaType   // empty: what the images ask for
	Annotations map[string]string // of the index
	// OfImages are the annotations of the images, in the index: those of the
	// zero Platform are for all of them.
	OfImages map[platform.Platform]map[string]string
	// Missing are platforms that the index says it lacks, if it has annotations.
	Missing platform.List
}

// A document is an image index (OCI image-spec, image-index.md), with its
// fields in the order in which they are written.
type document struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     types.MediaType   `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Manifests     []v1.Descriptor   `json:"manifests"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// compute makes the index of children that check has let through, with what is
// kept of an older one. The same images yield the same bytes, in whatever order
// they come.
func compute(children []*child, old *older, o Options) (*registry.Manifest, error) {
	children = ordered(children)
	doc := document{SchemaVersion: 2, MediaType: o.MediaType, ArtifactType: old.artifactType, Manifests: []v1.Descriptor{}, Annotations: merged(old.annotations, o.Annotations)}
	if _, own := o.Annotations[MissingAnnotation]; !own {
		delete(doc.Annotations, MissingAnnotation)
	}
	annotated := len(doc.Annotations)+len(o.OfImages) > 0 || doc.ArtifactType != "" ||
		slices.ContainsFunc(children, func(c *child) bool { return c.Descriptor.Annotations[compressedByZstd] != "" })
	if doc.MediaType == "" {
		doc.MediaType = mediaType(children, annotated || len(old.others) > 0)
	}
	if doc.MediaType == types.DockerManifestList && annotated {
		return nil, exit.Usagef("annotating the index: a Docker manifest list has no annotations").Hint("--format oci has them")
	}
	if len(o.Missing) > 0 && doc.MediaType != types.DockerManifestList {
		doc.Annotations = merged(doc.Annotations, map[string]string{MissingAnnotation: o.Missing.String()})
	}
	for _, c := range children {
		d := c.Descriptor
		d.Annotations = merged(d.Annotations, o.OfImages[platform.Platform{}], o.OfImages[c.Platform])
		doc.Manifests = append(doc.Manifests, d)
	}
	// Attestations come after all images, as BuildKit puts them: there are
	// clients that take the first entry without looking at its platform.
	for _, c := range children {
		for _, a := range c.Attestations {
			doc.Manifests = append(doc.Manifests, a.Descriptor)
		}
	}
	doc.Manifests = append(doc.Manifests, old.others...)
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(b))
	return &registry.Manifest{MediaType: doc.MediaType, Digest: digest, Bytes: b}, err
}

// merged returns the union of maps, of which later ones win; nil if there is
// nothing in them.
func merged(all ...map[string]string) map[string]string {
	var sum map[string]string
	for _, m := range all {
		if len(m) == 0 {
			continue
		}
		if sum == nil {
			sum = map[string]string{}
		}
		maps.Copy(sum, m)
	}
	return sum
}

// mediaType is Docker's if every child is Docker's: registries refuse a
// Docker list around OCI images, and old clients an OCI index around Docker's.
func mediaType(children []*child, more bool) types.MediaType {
	for _, c := range children {
		if c.Descriptor.MediaType != types.DockerManifestSchema2 || len(c.Attestations) > 0 {
			return types.OCIImageIndex
		}
	}
	if more {
		return types.OCIImageIndex
	}
	return types.DockerManifestList
}

// ordered returns the children as they stand in the index. One that was named
// twice stands there once.
func ordered(children []*child) []*child {
	sorted := slices.Clone(children)
	slices.SortStableFunc(sorted, byPlatform)
	return slices.CompactFunc(sorted, func(a, b *child) bool {
		return a.Descriptor.Digest == b.Descriptor.Digest && a.Platform == b.Platform
	})
}
