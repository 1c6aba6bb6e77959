package builder

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
)

// each puts a flag before each of the values.
func each(flag string, values []string) []string {
	var words []string
	for _, v := range values {
		words = append(words, flag, v)
	}
	return words
}

// dockerfileFlags returns the flags that docker, buildx and buildah share.
func (r Request) dockerfileFlags(file string) []string {
	var words []string
	if r.Dockerfile != "" {
		words = append(words, file, r.Dockerfile)
	}
	if r.Target != "" {
		words = append(words, "--target", r.Target)
	}
	words = append(words, each("--build-arg", r.BuildArgs)...)
	words = append(words, each("--label", r.Labels)...)
	return append(words, each("--secret", r.Secrets)...)
}

// own replaces {platform} by the leg's: two builds that export to one cache
// would overwrite each other's.
func (l Leg) own(words []string) []string {
	var own []string
	for _, c := range words {
		own = append(own, strings.ReplaceAll(c, "{platform}", l.slug()))
	}
	return own
}

// annotations returns those of the leg's platform.
func (l Leg) annotations(r Request) []string {
	var own []string
	for _, a := range r.Annotations {
		if a.Of == (platform.Platform{}) || slices.Contains(l.Platforms, a.Of) {
			own = append(own, a.Text)
		}
	}
	return own
}

// layout is the folder that the leg leaves its image in, if nothing is pushed.
func (l Leg) layout() string { return filepath.Join(l.Dir, "layout") }

// layoutOutput is the exporter of BuildKit that writes a layout.
func layoutOutput(l Leg) string {
	return csv("type=oci") + ",tar=false," + csv("dest="+l.layout()) + "," + csv("name="+l.Ref)
}

// csv quotes a field of the lists that BuildKit's clients and ko take, which encoding/csv reads.
func csv(field string) string {
	if strings.ContainsAny(field, ",\"\n") {
		return `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
	}
	return field
}

// collect reads what a tool reports of its push, or finds the layout.
func (r Request) collect(l Leg, pushed func([]string) (Pushed, error)) func([]string) (Pushed, error) {
	if !r.Layout {
		return pushed
	}
	return func([]string) (Pushed, error) { return Pushed{Layout: l.layout()}, nil }
}

func (l Leg) tag() string { return l.Ref[strings.LastIndexByte(l.Ref, ':')+1:] }

func (l Leg) slug() string {
	var slugs []string
	for _, p := range l.Platforms {
		slugs = append(slugs, p.Slug())
	}
	return strings.Join(slugs, "_")
}
