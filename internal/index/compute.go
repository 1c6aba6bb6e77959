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
}

// compute makes the index of images that check has let through. The same
// images give the same bytes, in whatever order they come.
func compute(images []*Image, others []v1.Descriptor, o Options) (*registry.Manifest, error) {
	images = ordered(images)
	doc := v1.IndexManifest{SchemaVersion: 2, MediaType: o.MediaType, Manifests: []v1.Descriptor{}, Annotations: o.Annotations}
	annotated := len(o.Annotations)+len(o.OfImages) > 0
	if doc.MediaType == "" {
		doc.MediaType = mediaType(images, annotated)
	}
	if doc.MediaType == types.DockerManifestList && annotated {
		return nil, exit.Usagef("annotating the index: a Docker manifest list has no annotations").Hint("--format oci has them")
	}
	for _, i := range images {
		doc.Manifests = append(doc.Manifests, annotate(i.Descriptor, i.Platform, o.OfImages))
	}
	// Attestations come after all images, as BuildKit puts them: there are
	// clients that take the first entry without looking at its platform.
	for _, i := range images {
		for _, a := range i.Attestations {
			doc.Manifests = append(doc.Manifests, a.Descriptor)
		}
	}
	doc.Manifests = append(doc.Manifests, others...)
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(b))
	return &registry.Manifest{MediaType: doc.MediaType, Digest: digest, Bytes: b}, err
}

func annotate(d v1.Descriptor, p platform.Platform, all map[platform.Platform]map[string]string) v1.Descriptor {
	merged := maps.Clone(d.Annotations)
	for _, of := range []platform.Platform{{}, p} {
		if more := all[of]; len(more) > 0 {
			if merged == nil {
				merged = map[string]string{}
			}
			maps.Copy(merged, more)
		}
	}
	d.Annotations = merged
	return d
}

// mediaType is Docker's if every child is Docker's: registries refuse a
// Docker list around OCI images, and old clients an OCI index around Docker's.
func mediaType(images []*Image, annotated bool) types.MediaType {
	for _, i := range images {
		if i.Descriptor.MediaType != types.DockerManifestSchema2 || len(i.Attestations) > 0 {
			return types.OCIImageIndex
		}
	}
	if annotated {
		return types.OCIImageIndex
	}
	return types.DockerManifestList
}

// ordered gives the images as they stand in the index. One that was named
// twice stands there once.
func ordered(images []*Image) []*Image {
	sorted := slices.Clone(images)
	slices.SortStableFunc(sorted, byPlatform)
	return slices.CompactFunc(sorted, func(a, b *Image) bool {
		return a.Descriptor.Digest == b.Descriptor.Digest && a.Platform == b.Platform
	})
}
