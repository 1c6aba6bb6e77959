package index

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

// An Image is what becomes one child of the index.
type Image struct {
	Source       Source
	Layers       []v1.Descriptor // the base image's first; nil if the image was kept from an older index
	Platform     platform.Platform
	Descriptor   v1.Descriptor // as it stands in the index
	Attestations []Attestation
	Verification *verify.Verification // nil if it was not verified
	Transfer     Transfer
	Referrers    []Referrer // that this run attached to it
	Zstd         bool       // a client needs zstd for its layers
}

// An Attestation says how an image was built: a manifest that BuildKit puts
// into the index beside the image
// (github.com/moby/buildkit, docs/attestations/attestation-storage.md).
type Attestation struct {
	Descriptor v1.Descriptor
	Manifest   *registry.Manifest // nil if it is in the target's repository

	blobs []*blob
}

// A child is an Image on its way into the index.
type child struct {
	Image
	found *found // nil if it was kept from an older index
	kept  bool   // the first tag named it before the run
	row   *Row   // nil if nobody looks
}

// check settles the platform of each image and refuses what would make a wrong
// index, before anything is written. Images that may be missing become gaps
// instead.
func check(ctx context.Context, readings []reading, m Microarchitecture, g *gaps) ([]*child, error) {
	var children []*child
	for _, r := range readings {
		some, err := r.children()
		if err == nil {
			err = r.agrees(some)
		}
		switch {
		case err == nil:
			children = append(children, some...)
		case absent(ctx, r.source, err):
			g.add(r.source, err.Error())
		default:
			return nil, err
		}
	}
	children, err := fit(children, g)
	if err != nil {
		return nil, err
	}
	if len(children) == 0 && len(g.list) > 0 {
		return nil, g.nothing()
	}
	if len(children) == 0 {
		return nil, exit.Usagef("stitching an index: there is no source").Hint("name the images: REPO:TAG, REPO@sha256:… or REF=PLATFORM")
	}
	if _, err := m.levels(children); err != nil {
		return nil, err
	}
	return children, distinct(children)
}

// agrees refuses images that are for another platform than was declared.
func (r reading) agrees(children []*child) error {
	for _, c := range children {
		declared := c.Source.Platform
		if declared != nil && !declared.Covers(c.Platform) {
			return exit.Failf("checking %s: it was declared to be for %s, and its config says %s", c.Source.Ref, declared, c.Platform).
				Hint("build it for %s, or declare %s=%s if that is what it is for", declared, c.Source.Ref, c.Platform)
		}
	}
	return nil
}

// distinct refuses two images that a client could not choose between, and marks
// those between which it can by their compression.
func distinct(children []*child) error {
	for n, c := range children {
		for _, other := range children[:n] {
			if samePlatform(other, c) && other.Zstd == c.Zstd && other.Descriptor.Digest != c.Descriptor.Digest {
				return exit.Failf("checking the sources: %s and %s are both for %s", other.Source.Ref, c.Source.Ref, c.Platform).
					Hint("give one source for each platform, or one with gzip layers and one with zstd layers")
			}
		}
	}
	markCompressions(children)
	return nil
}

// children returns the images that the source means: of an index, those that
// are for its platform.
func (r reading) children() ([]*child, error) {
	if r.err != nil {
		return nil, r.err
	}
	var chosen []*child
	others := slices.Clone(r.skipped)
	for _, f := range r.images {
		c, err := f.resolve()
		if err != nil {
			return nil, exit.Failf("reading %s: %w", r.source.Ref, err)
		}
		if f.listed != nil && r.source.Platform != nil && !r.source.Platform.Covers(c.Platform) {
			others = append(others, c.Platform)
			continue
		}
		chosen = append(chosen, c)
	}
	if len(chosen) == 0 {
		return nil, exit.Failf("reading %s: it is an index that has nothing for %s; it has %s", r.source.Ref, r.source.Platform, platform.NewList(others...))
	}
	return chosen, nil
}

// resolve decides which platform an image is for. What the config leaves open,
// the source or the index that lists the image may fill in; what it says, they
// must not contradict.
func (f *found) resolve() (*child, error) {
	c := &child{found: f, Image: Image{
		Source: f.source, Layers: f.manifest.Layers, Attestations: f.attestations, Verification: f.verification,
		Descriptor: image.Descriptor(f.manifest.Stored), Zstd: zstdLayers(f.manifest.Layers),
	}}
	claim := f.source.Platform
	var listed *platform.Platform
	p := v1.Platform{}
	if f.listed != nil {
		c.Descriptor.Annotations, c.Descriptor.ArtifactType = f.listed.Annotations, f.listed.ArtifactType
		listed = image.PlatformOf(*f.listed)
		claim = listed
		if l := f.listed.Platform; l != nil {
			p.OSVersion, p.OSFeatures = l.OSVersion, l.OSFeatures
		}
	}
	if f.config == nil {
		c.Platform = *claim
	} else {
		said, err := f.config.Platform()
		if err != nil {
			return nil, err
		}
		c.Platform = said
		if claim != nil && said.Covers(*claim) {
			c.Platform = *claim
		}
		if listed != nil && !said.Covers(*listed) && !listed.Covers(said) {
			return nil, fmt.Errorf("its index says that %s is for %s, and its config says %s", f.manifest.Stored.Digest, listed, said)
		}
		if f.config.OSVersion != "" {
			p.OSVersion = f.config.OSVersion
		}
		if f.config.OSFeatures != nil {
			p.OSFeatures = f.config.OSFeatures
		}
	}
	p.OS, p.Architecture, p.Variant = c.Platform.OS, c.Platform.Arch, c.Platform.Variant
	c.Descriptor.Platform = &p
	return c, nil
}

// samePlatform reports whether two images are for the same nodes, of which some
// clients may choose by the compression of the layers. Windows images for
// several versions of Windows differ by os.version.
func samePlatform(a, b *child) bool {
	p, q := a.Descriptor.Platform, b.Descriptor.Platform
	return a.Platform == b.Platform && p.OSVersion == q.OSVersion && slices.Equal(p.OSFeatures, q.OSFeatures)
}

// byPlatform orders images by what they are, so that the order in which they
// were given does not show in the index.
func byPlatform(a, b *child) int {
	return cmp.Or(
		a.Platform.Compare(b.Platform),
		strings.Compare(a.Descriptor.Platform.OSVersion, b.Descriptor.Platform.OSVersion),
		slices.Compare(a.Descriptor.Platform.OSFeatures, b.Descriptor.Platform.OSFeatures),
		compareBool(a.Zstd, b.Zstd), // a client that does not know zstd takes the first
		strings.Compare(a.Descriptor.Digest.Hex, b.Descriptor.Digest.Hex),
	)
}

// expected refuses to leave out a platform that was to be built.
func expected(children []*child, want platform.List) error {
	for _, p := range want {
		if !slices.ContainsFunc(children, func(c *child) bool { return p.Covers(c.Platform) }) {
			return exit.Failf("checking the sources: none of them is for %s, which was to be built", p).
				Hint("does the base image have it?")
		}
	}
	return nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
