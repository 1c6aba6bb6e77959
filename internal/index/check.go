package index

import (
	"cmp"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
)

// check refuses what would make a wrong index, before anything is written.
func check(images []*Image) error {
	if len(images) == 0 {
		return exit.Usagef("stitching an index: there is no source").Hint("name the images: REPO:TAG, REPO@sha256:… or REF=PLATFORM")
	}
	for _, i := range images {
		declared := i.Source.Platform
		if declared != nil && !declared.Covers(i.Platform) {
			return exit.Failf("checking %s: it was declared to be for %s, and its config says %s", i.Source.Ref, declared, i.Platform).
				Hint("build it for %s, or declare %s=%s if that is what it is for", declared, i.Source.Ref, i.Platform)
		}
	}
	for n, i := range images {
		for _, other := range images[:n] {
			if samePlatform(other, i) && other.Descriptor.Digest != i.Descriptor.Digest {
				return exit.Failf("checking the sources: %s and %s are both for %s", other.Source.Ref, i.Source.Ref, i.Platform).
					Hint("give one source for each platform")
			}
		}
	}
	return misfits(images)
}

// samePlatform reports whether a client could not choose between two images.
// Windows images for several versions of Windows differ by os.version.
func samePlatform(a, b *Image) bool {
	p, q := a.Descriptor.Platform, b.Descriptor.Platform
	return a.Platform == b.Platform && p.OSVersion == q.OSVersion && slices.Equal(p.OSFeatures, q.OSFeatures)
}

// byPlatform orders images by what they are, so that the order in which they
// were given does not show in the index.
func byPlatform(a, b *Image) int {
	return cmp.Or(
		a.Platform.Compare(b.Platform),
		strings.Compare(a.Descriptor.Platform.OSVersion, b.Descriptor.Platform.OSVersion),
		slices.Compare(a.Descriptor.Platform.OSFeatures, b.Descriptor.Platform.OSFeatures),
		strings.Compare(a.Descriptor.Digest.Hex, b.Descriptor.Digest.Hex),
	)
}

// expected refuses to leave out a platform that was to be built.
func expected(images []*Image, want platform.List) error {
	for _, p := range want {
		if !slices.ContainsFunc(images, func(i *Image) bool { return p.Covers(i.Platform) }) {
			return exit.Failf("checking the sources: none of them is for %s, which was to be built", p).
				Hint("does the base image have it?")
		}
	}
	return nil
}
