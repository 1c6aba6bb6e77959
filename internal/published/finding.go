package published

import (
	"cmp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/platform"
)

// A Kind says what a finding is about.
type Kind string

const (
	Reference   Kind = "reference"   // what was named does not exist
	Child       Kind = "child"       // an image that an index lists is not there
	Config      Kind = "config"      // an image's config is not there
	Layer       Kind = "layer"       // a layer is not there
	Content     Kind = "content"     // what is there is not what its descriptor says, or cannot be read
	Platform    Kind = "platform"    // an image's config says another platform than its index
	Program     Kind = "program"     // what an image starts cannot start on its platform
	Attestation Kind = "attestation" // an attestation of an index is not whole, or its image is not in the index
	Signature   Kind = "signature"   // what cosign keeps under a tag is not whole, or its image is not there
	Referrer    Kind = "referrer"    // what refers to an image is not whole, or refers to another one
)

// A Finding is a reason why something cannot be pulled whole.
type Finding struct {
	Kind Kind `json:"kind"`
	// References are those that were checked and have it, REPO:TAG or
	// REPO@DIGEST.
	References []string `json:"references"`
	Platform   string   `json:"platform,omitempty"` // of the image in the index, if it is about one
	Digest     string   `json:"digest,omitempty"`   // of what it is about
	Message    string   `json:"message"`            // a clause about it
}

// String returns the finding as one line.
func (f Finding) String() string {
	line := strings.Join(f.References, ", ") + ": "
	if f.Platform != "" {
		line += f.Platform + ": "
	}
	return line + f.Message
}

// An Image is what one reference names, or several of one digest.
type Image struct {
	Reference string        `json:"reference"`      // REPO:TAG, the first of the tags, or REPO@DIGEST
	Tags      []string      `json:"tags,omitempty"` // all that were checked and name it
	Digest    string        `json:"digest"`         // empty if it does not exist
	MediaType string        `json:"mediaType,omitempty"`
	Platforms platform.List `json:"platforms"` // as the index says, or the image
	Images    []v1.Hash     `json:"images"`    // their digests, one for each entry of the index that is an image to run
	Evidence  int           `json:"evidence"`  // how many attestations, signatures and other referrers are about it
	Whole     bool          `json:"whole"`

	found []*Finding
}

// A Report is what a check found.
type Report struct {
	Images   []*Image
	Findings []*Finding // in the order of the images, then of platforms
	Notes    []string   // what could not be looked into; each a sentence about a reference
}

// Whole reports whether all of it can be pulled.
func (r *Report) Whole() bool { return len(r.Findings) == 0 }

// take adds the findings of an image, those that several have once.
func (r *Report) take(i *Image) {
	i.Whole = len(i.found) == 0
	slices.SortFunc(i.found, func(a, b *Finding) int {
		return cmp.Or(cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.Message, b.Message))
	})
	names := []string{i.Reference}
	if repo, _, ok := strings.Cut(i.Reference, ":"+first(i.Tags)); ok && len(i.Tags) > 1 {
		for _, t := range i.Tags[1:] {
			names = append(names, repo+":"+t)
		}
	}
	for _, f := range i.found {
		if len(f.References) == 0 {
			r.Findings = append(r.Findings, f)
		}
		for _, n := range names {
			if !slices.Contains(f.References, n) {
				f.References = append(f.References, n)
			}
		}
	}
	r.Images = append(r.Images, i)
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}
