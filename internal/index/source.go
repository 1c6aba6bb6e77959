package index

import (
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// A Source is an image, or an index of images, that goes into the index.
type Source struct {
	// Ref is REPO:TAG, REPO@sha256:…, REPO:TAG@sha256:… (the digest decides),
	// or oci:PATH[:TAG].
	Ref string
	// Platform is what the image was declared to be for; nil leaves it to the
	// image's config. The config must agree with a declared one.
	Platform *platform.Platform
	// From says where the user named the source, for messages: "line 3 of
	// builds.txt". It may be empty.
	From string
	// For says what a list of sources names as what it was made for: a commit, a
	// run, under the names that its maker chose. Nil if it names nothing.
	For map[string]string
	// Notes are things the user should know about how the image was built;
	// they are reported with the image.
	Notes []string
}

// String returns the source as a user writes it: REF or REF=PLATFORM.
func (s Source) String() string {
	if s.Platform == nil {
		return s.Ref
	}
	return s.Ref + "=" + s.Platform.String()
}

const layoutScheme = "oci:"

// ParseSource reads REF[=PLATFORM]. A digest alone, sha256:…, is in repo: CI
// systems drop an output that holds the name of a registry if that is a secret.
func ParseSource(s string, repo registry.Repository) (Source, error) {
	s = strings.TrimSpace(s)
	ref, declared, ok := cutPlatform(s)
	if ref == "" {
		return Source{}, exit.Usagef("parsing source %q: it names no image", s).Hint("write REPO:TAG, REPO@sha256:… or oci:PATH, each with =PLATFORM if wanted")
	}
	if strings.HasPrefix(ref, "sha256:") && repo.Path != "" {
		ref = repo.String() + "@" + ref
	}
	src := Source{Ref: ref}
	if ok {
		p, err := platform.Parse(declared)
		if err != nil {
			return Source{}, exit.Usagef("parsing source %q: %w", s, err)
		}
		src.Platform = &p
	}
	if _, _, err := repository(ref); err != nil {
		return Source{}, exit.Usagef("parsing source %q: %w", s, err)
	}
	return src, nil
}

// cutPlatform splits at the last "=". A reference has none of its own; the
// path of a layout may, so there what follows must look like a platform.
func cutPlatform(s string) (ref, declared string, ok bool) {
	i := strings.LastIndexByte(s, '=')
	if i < 0 {
		return s, "", false
	}
	if strings.HasPrefix(s, layoutScheme) {
		if _, err := platform.Parse(s[i+1:]); err != nil {
			return s, "", false
		}
	}
	return s[:i], s[i+1:], true
}
