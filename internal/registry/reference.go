package registry

import (
	"net/url"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
)

// A Repository is a place in a registry that holds manifests and blobs.
type Repository struct {
	Host string // as users write it, with a port if there is one: "docker.io", "localhost:5000"
	Path string // "library/alpine"
}

// String returns HOST/PATH.
func (r Repository) String() string { return r.Host + "/" + r.Path }

// RegistryStr names the host as Docker's config files do; with String it makes
// a Repository an authn.Resource.
func (r Repository) RegistryStr() string {
	if r.Host == dockerHub {
		return "index.docker.io"
	}
	return r.Host
}

// Loopback reports whether the registry is on this machine.
func (r Repository) Loopback() bool { return loopback(r.Host) }

// Tag returns the reference of a tag.
func (r Repository) Tag(tag string) Reference { return Reference{Repository: r, Tag: tag} }

// Digest returns the reference of a manifest.
func (r Repository) Digest(d v1.Hash) Reference { return Reference{Repository: r, Digest: d} }

// A Reference names a manifest in a repository, by tag, by digest, or by both;
// then the digest decides.
type Reference struct {
	Repository
	Tag    string
	Digest v1.Hash // zero: the tag decides
}

// String returns HOST/PATH[:TAG][@DIGEST].
func (r Reference) String() string {
	s := r.Repository.String()
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != (v1.Hash{}) {
		s += "@" + r.Digest.String()
	}
	return s
}

// name is how the protocol's addresses name the manifest.
func (r Reference) name() string {
	if r.Digest != (v1.Hash{}) {
		return r.Digest.String()
	}
	return r.Tag
}

const dockerHub = "docker.io"

// The grammar is that of the distribution specification, section "Pulling
// manifests".
var (
	pathGrammar = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagGrammar  = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

// ParseRepository reads [HOST/]PATH. Without a host, it is Docker Hub's.
func ParseRepository(s string) (Repository, error) {
	if strings.Contains(s, "://") {
		return Repository{}, exit.Usagef("parsing repository %q: it starts with a URL's scheme", s).
			Hint("write HOST/PATH; for a registry that speaks plain HTTP add --insecure-registry HOST")
	}
	host, path, ok := strings.Cut(s, "/")
	if !ok || host != "localhost" && !strings.ContainsAny(host, ".:") {
		host, path = dockerHub, s
	}
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		host = dockerHub
	}
	if host == dockerHub && path != "" && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	if u, err := url.Parse("//" + host); err != nil || u.Host != host || u.Hostname() == "" {
		return Repository{}, exit.Usagef("parsing repository %q: %q is not a host", s, host)
	}
	switch {
	case path == "":
		return Repository{}, exit.Usagef("parsing repository %q: it names no repository", s).Hint("write HOST/PATH, for example ghcr.io/me/app")
	case len(path) > 255:
		return Repository{}, exit.Usagef("parsing repository %q: its path is longer than 255 characters", s)
	case !pathGrammar.MatchString(path):
		e := exit.Usagef("parsing repository %q: %q is not a repository", s, path)
		if lower := strings.ToLower(path); pathGrammar.MatchString(lower) {
			return Repository{}, e.Hint("registries take lower case only; write %s/%s", host, lower)
		}
		return Repository{}, e.Hint("write lower-case letters, digits, and single . _ - / between them")
	}
	return Repository{Host: host, Path: path}, nil
}

// ParseTag checks a tag.
func ParseTag(s string) (string, error) {
	if !tagGrammar.MatchString(s) {
		return "", exit.Usagef("parsing tag %q: it is not a tag", s).Hint("a tag is at most 128 letters, digits, and _ . -, and does not start with . or -")
	}
	return s, nil
}

// ParseReference reads [HOST/]PATH[:TAG][@sha256:…]. Without tag and digest
// it is the tag latest.
func ParseReference(s string) (Reference, error) {
	ref, err := ParseName(s)
	if err == nil && ref.Tag == "" && ref.Digest == (v1.Hash{}) {
		ref.Tag = "latest"
	}
	return ref, err
}

// ParseName is ParseReference for what may name a repository alone.
func ParseName(s string) (Reference, error) {
	rest, digest, hasDigest := strings.Cut(s, "@")
	var ref Reference
	if hasDigest {
		h, err := v1.NewHash(digest)
		if err != nil {
			return ref, exit.Usagef("parsing reference %q: %q is not a digest", s, digest).Hint("a digest is sha256: and 64 hexadecimal digits")
		}
		ref.Digest = h
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		tag, err := ParseTag(rest[i+1:])
		if err != nil {
			return Reference{}, err
		}
		ref.Tag, rest = tag, rest[:i]
	}
	repo, err := ParseRepository(rest)
	if err != nil {
		return Reference{}, err
	}
	ref.Repository = repo
	return ref, nil
}
