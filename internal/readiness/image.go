package readiness

import (
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
)

// An Image is what is known of an image.
type Image struct {
	Ref       string        // in full: docker.io/library/nginx:1.27
	Digest    string        // that runs now, or ""
	Platforms platform.List // nil: not known, for the reason in Unknown
	Programs  map[platform.Platform]Program
	Unknown   *Unknown

	Users []*Workload // that have it
}

// A Program is what was found of the program that an image starts on a
// platform.
type Program struct {
	Wrong []string // why it cannot start there, as sentences; none: it is not known to be wrong
	Notes []string // why it was not verified
}

// An Unknown says why the platforms of an image are not known.
type Unknown struct {
	Why    string
	Hints  []string
	Host   string // of the registry; "" if none was asked
	Denied bool   // the registry wants a credential, or another one
}

// maxUsers is how many workloads are remembered for an image.
const maxUsers = 10_000

// Settle returns the images of the workloads, each once. A digest that is seen
// to run stands for its image wherever the image is named, unless several run.
// Full writes an image's name in full, as a reference of a registry.
func Settle(ws []*Workload, full func(string) string) map[string]*Image {
	digests := map[string][]string{}
	names := map[string]string{}
	for _, w := range ws {
		for n := range w.Containers {
			c := &w.Containers[n]
			if names[c.Image] == "" {
				names[c.Image] = full(c.Image)
			}
			c.ref = names[c.Image]
			if strings.Contains(c.ref, "@") {
				c.Digest = ""
			}
			if c.Digest != "" && !slices.Contains(digests[c.ref], c.Digest) {
				digests[c.ref] = append(digests[c.ref], c.Digest)
			}
		}
	}
	out := map[string]*Image{}
	for _, w := range ws {
		for n := range w.Containers {
			c := &w.Containers[n]
			if all := digests[c.ref]; len(all) == 1 {
				c.Digest = all[0]
			}
			i := out[c.key()]
			if i == nil {
				i = &Image{Ref: c.ref, Digest: c.Digest}
				out[c.key()] = i
			}
			if !slices.Contains(i.Users[max(0, len(i.Users)-1):], w) && len(i.Users) < maxUsers {
				i.Users = append(i.Users, w)
			}
		}
	}
	return out
}

// key is how Settle names the image of a container.
func (c Container) key() string {
	if c.Digest == "" {
		return c.ref
	}
	return c.ref + "@" + c.Digest
}
