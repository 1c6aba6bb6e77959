package index

import (
	"context"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// An older index is what the first tag names before the run, of which the new
// one keeps all that it does not replace.
type older struct {
	children     []*child
	others       []v1.Descriptor // entries that no node runs
	annotations  map[string]string
	artifactType string
}

// older reads what --append appends to. Images of an index are not read: what
// it says of them stands.
func (r *reader) older(ctx context.Context, j Job, first *standing) (*older, error) {
	ref := j.Target.Tag(j.Tags[0])
	if first == nil {
		r.note("%s does not exist yet: there is nothing to append to", ref)
		return &older{}, nil
	}
	from, m := first.from, first.m
	src := Source{Ref: ref.String()}
	if m.MediaType.IsImage() {
		f := &found{source: src, in: inRepository(r.client, j.Target), manifest: m}
		if _, err := r.one(ctx, from, f); err != nil {
			return nil, err
		}
		c, err := f.resolve()
		if err != nil {
			return nil, err
		}
		return &older{children: []*child{c}}, nil
	}
	list, err := from.List(ctx, m)
	if err != nil {
		return nil, err
	}
	old := &older{others: list.Others, annotations: m.Annotations, artifactType: m.ArtifactType}
	for _, e := range list.Images {
		c := &child{Image: Image{Source: src, Descriptor: e.Listed, Zstd: e.Listed.Annotations[compressedByZstd] == "true"}}
		if e.Platform != nil {
			c.Platform = *e.Platform
		} else {
			if c.Platform, err = e.Config.Platform(); err != nil {
				return nil, err
			}
			c.Descriptor.MediaType = e.Manifest.MediaType
		}
		if p := c.Descriptor.Platform; p == nil || e.Platform == nil {
			c.Descriptor.Platform = &v1.Platform{OS: c.Platform.OS, Architecture: c.Platform.Arch, Variant: c.Platform.Variant}
		}
		for _, d := range e.Attestations {
			c.Attestations = append(c.Attestations, Attestation{Descriptor: d})
		}
		old.children = append(old.children, c)
	}
	return old, nil
}

// merge adds the older images for whose platform there is no new one. A new one
// replaces both compressions of an older build.
func (o *older) merge(children []*child) []*child {
	all := slices.Clone(children)
	for _, old := range o.children {
		if !slices.ContainsFunc(children, func(c *child) bool { return samePlatform(c, old) }) {
			old.kept = true
			all = append(all, old)
		}
	}
	return all
}
