package builder

import "strings"

// each puts a flag before each of the values.
func each(flag string, values []string) []string {
	var words []string
	for _, v := range values {
		words = append(words, flag, v)
	}
	return words
}

// dockerfileFlags gives the flags that docker, buildx and buildah share.
func (r Request) dockerfileFlags(file string) []string {
	var words []string
	if r.Dockerfile != "" {
		words = append(words, file, r.Dockerfile)
	}
	if r.Target != "" {
		words = append(words, "--target", r.Target)
	}
	words = append(words, each("--build-arg", r.BuildArgs)...)
	return append(words, each("--secret", r.Secrets)...)
}

// cache names a cache for each platform where the user wrote {platform}: two
// builds that export to one place would overwrite each other's.
func (l Leg) cache(caches []string) []string {
	var own []string
	for _, c := range caches {
		own = append(own, strings.ReplaceAll(c, "{platform}", l.slug()))
	}
	return own
}

func (l Leg) tag() string { return l.Ref[strings.LastIndexByte(l.Ref, ':')+1:] }

func (l Leg) slug() string {
	var slugs []string
	for _, p := range l.Platforms {
		slugs = append(slugs, p.Slug())
	}
	return strings.Join(slugs, "_")
}
