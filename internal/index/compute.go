package index

import (
	"bytes"
	"encoding/json"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/registry"
)

// compute makes the index of images that check has let through. The same
// images give the same bytes, in whatever order they come.
func compute(images []*Image) (*registry.Manifest, error) {
	images = ordered(images)
	doc := v1.IndexManifest{SchemaVersion: 2, MediaType: mediaType(images), Manifests: []v1.Descriptor{}}
	for _, i := range images {
		doc.Manifests = append(doc.Manifests, i.Descriptor)
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(b))
	return &registry.Manifest{MediaType: doc.MediaType, Digest: digest, Bytes: b}, err
}

// mediaType is Docker's if every child is Docker's: registries refuse a
// Docker list around OCI images, and old clients an OCI index around Docker's.
func mediaType(images []*Image) types.MediaType {
	for _, i := range images {
		if i.Manifest.MediaType != types.DockerManifestSchema2 {
			return types.OCIImageIndex
		}
	}
	return types.DockerManifestList
}

// ordered gives the images as they stand in the index.
func ordered(images []*Image) []*Image {
	sorted := slices.Clone(images)
	slices.SortStableFunc(sorted, byPlatform)
	return slices.CompactFunc(sorted, func(a, b *Image) bool { return a.Descriptor.Digest == b.Descriptor.Digest })
}
