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
	// or oci:PATH[:TAG]. It is empty for a platform whose build left nothing.
	Ref string
	// Platform is what the image was declared to be for; nil leaves it to the
	// image's config. The config must agree with a declared one.
	Platform *platform.Platform
	// Optional lets the index go out without the image, whose platform is
	// declared, where it is not there or not fit.
	Optional bool
	// Why says why there is no image, where Ref is empty.
	Why string
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

// String returns the source as a user writes it: REF, REF=PLATFORM or
// REF=PLATFORM?.
func (s Source) String() string {
	switch {
	case s.Platform == nil:
		return s.Ref
	case s.Optional:
		return s.Ref + "=" + s.Platform.String() + optionalMark
	}
	return s.Ref + "=" + s.Platform.String()
}

// optionalMark follows the platform of a source that may be missing.
const optionalMark = "?"

const layoutScheme = "oci:"

// ParseSource reads REF[=PLATFORM[?]], or =PLATFORM? for a platform that may be
// missing and is. A digest alone, sha256:…, is in repo: CI
// systems drop an output that holds the name of a registry if that is a secret.
func ParseSource(s string, repo registry.Repository) (Source, error) {
	s = strings.TrimSpace(s)
	ref, declared, ok := cutPlatform(s)
	declared, optional := strings.CutSuffix(declared, optionalMark)
	if ref == "" && !optional {
		return Source{}, exit.Usagef("parsing source %q: it names no image", s).Hint("write REPO:TAG, REPO@sha256:… or oci:PATH, each with =PLATFORM if wanted")
	}
	if strings.HasPrefix(ref, "sha256:") && repo.Path != "" {
		ref = repo.String() + "@" + ref
	}
	src := Source{Ref: ref, Optional: optional}
	if ok {
		p, err := platform.Parse(declared)
		if err != nil {
			return Source{}, exit.Usagef("parsing source %q: %w", s, err)
		}
		src.Platform = &p
	}
	if ref == "" {
		return src, nil
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
		if _, err := platform.Parse(strings.TrimSuffix(s[i+1:], optionalMark)); err != nil {
			return s, "", false
		}
	}
	return s[:i], s[i+1:], true
}
