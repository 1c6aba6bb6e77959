package index

import (
	"maps"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// compressedByZstd marks, in an index, the image with zstd layers of two for one
// platform (github.com/containers/image, internal/manifest/oci_index.go,
// OCI1InstanceAnnotationCompressionZSTD). Clients that know it take that one;
// all others take the first, which has gzip layers.
const compressedByZstd = "io.github.containers.compression.zstd"

// zstdLayers reports whether a client needs zstd for any layer of an image.
func zstdLayers(layers []v1.Descriptor) bool {
	for _, l := range layers {
		if strings.Contains(string(l.MediaType), "zstd") {
			return true
		}
	}
	return false
}

// markCompressions marks those images with zstd layers beside which there is one
// without for the same platform. What is there once stays as it is.
func markCompressions(children []*child) {
	for _, c := range children {
		for _, other := range children {
			if samePlatform(c, other) && c.Zstd && !other.Zstd {
				c.annotate(compressedByZstd, "true")
				other.annotate(compressedByZstd, "")
			}
		}
	}
}

// annotate sets an annotation of the child's descriptor; "" removes it.
func (c *child) annotate(key, value string) {
	if c.Descriptor.Annotations[key] == value {
		return
	}
	all := maps.Clone(c.Descriptor.Annotations)
	if all == nil {
		all = map[string]string{}
	}
	if all[key] = value; value == "" {
		delete(all, key)
	}
	if len(all) == 0 {
		all = nil
	}
	c.Descriptor.Annotations = all
}
