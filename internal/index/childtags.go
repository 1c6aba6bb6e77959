package index

import (
	"slices"

	"github.com/polyarch/polyarch/internal/registry"
)

// childTags returns the tags that children get for themselves.
func (j Job) childTags(children []*child) []tagged {
	if !j.ChildTags {
		return nil
	}
	var ts []tagged
	for _, c := range ordered(children) {
		tag := c.tag(j.Tags[0])
		if slices.ContainsFunc(ts, func(t tagged) bool { return t.tag == tag }) {
			tag += "_" + c.Descriptor.Platform.OSVersion // of several images for Windows
		}
		if c.found != nil {
			ts = append(ts, tagged{tag, c.found.manifest.Stored})
		}
	}
	return ts
}

// untagged counts the images that no tag names: neither the one that a source
// was given by nor one of childTags.
func (j Job) untagged(children []*child) (n int) {
	for _, c := range ordered(children) {
		if c.found == nil || j.ChildTags {
			continue
		}
		ref, err := registry.ParseReference(c.Source.Ref)
		if err != nil || ref.Tag == "" || ref.Repository != j.Target || c.found.listed != nil {
			n++
		}
	}
	return n
}

// tag returns the tag of an image of the index, with its platform as a suffix:
// v1_linux_arm64, v1_linux_arm64_zstd.
func (c *child) tag(tag string) string {
	tag += "_" + c.Platform.Slug()
	if c.Descriptor.Annotations[compressedByZstd] != "" {
		tag += "_zstd"
	}
	return tag
}
