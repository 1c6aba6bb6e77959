package main

import (
	"context"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/platform"
)

// options returns what the index looks like beyond its images.
func (c *config) options(ctx context.Context) (o index.Options, notes []string, err error) {
	o.MediaType = map[string]types.MediaType{"oci": types.OCIImageIndex, "docker": types.DockerManifestList}[c.format]
	o.Annotations = map[string]string{}
	if c.fromGit {
		if o.Annotations, err = gitAnnotations(ctx, c.build.context); err != nil {
			return o, nil, err
		}
	}
	lines, err := c.annotations()
	if err != nil {
		return o, nil, err
	}
	o.OfImages = map[platform.Platform]map[string]string{}
	for _, a := range lines {
		if a.on[indexLevel] {
			o.Annotations[a.key] = a.value
		}
		if a.on[descriptorLevel] {
			if o.OfImages[a.of] == nil {
				o.OfImages[a.of] = map[string]string{}
			}
			o.OfImages[a.of][a.key] = a.value
		}
		if a.on[manifestLevel] && len(c.build.platforms) == 0 {
			notes = append(notes, "the annotation "+a.key+" is for the images' manifests, which only a build writes: it is left out")
		}
	}
	return o, notes, nil
}

// gitAnnotations returns the predefined keys (OCI image-spec, annotations.md)
// that a clone of a git repository has the values of. The date is the
// commit's: the same commit gives the same index.
func gitAnnotations(ctx context.Context, folder string) (map[string]string, error) {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", folder}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	head, err := git("log", "-1", "--format=%H %ct")
	if err != nil {
		return nil, exit.Failf("reading the commit of %s: git: %w", folder, err).Hint("--git-annotations needs git, and a clone with a commit")
	}
	revision, seconds, _ := strings.Cut(head, " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, exit.Failf("reading the commit of %s: its date is %q", folder, seconds)
	}
	a := map[string]string{
		"org.opencontainers.image.revision": revision,
		"org.opencontainers.image.created":  time.Unix(unix, 0).UTC().Format(time.RFC3339),
	}
	if origin, err := git("remote", "get-url", "origin"); err == nil {
		if source := sourceURL(origin); source != "" {
			a["org.opencontainers.image.source"] = source
		}
	}
	return a, nil
}

// sourceURL returns the address under which people find a remote repository,
// without a credential that may stand in it; empty if there is none.
func sourceURL(origin string) string {
	if at, path, ok := strings.Cut(origin, ":"); ok && !strings.Contains(origin, "://") && !strings.Contains(at, "/") {
		origin = "ssh://" + at + "/" + path // git@github.com:me/app.git
	}
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	switch u.Scheme {
	case "http", "https":
	case "ssh", "git":
		u.Host = u.Hostname()
	default:
		return ""
	}
	clean := url.URL{Scheme: "https", Host: u.Host, Path: strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), ".git")}
	return clean.String()
}
