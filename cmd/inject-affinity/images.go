package main

import (
	"context"
	"strings"

	"github.com/polyarch/polyarch/internal/artifacts"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// A catalogue knows the images that were built. Names are compared as a
// container runtime does: hello is docker.io/library/hello.
type catalogue struct {
	named map[string]*build   // by the name that manifests use
	built map[string][]*build // by the repository they were pushed to
}

type build struct {
	name      string // as it was given
	ref       registry.Reference
	text      string // as it is written into manifests
	platforms platform.List
}

// maxArtifacts is more than any artifacts file takes.
const maxArtifacts = 16 << 20

// catalogue reads the flags --artifacts and --image.
func (c *config) catalogue(ctx context.Context) (*catalogue, error) {
	cat := &catalogue{named: map[string]*build{}, built: map[string][]*build{}}
	for _, path := range c.artifacts {
		b, err := readFile(ctx, path, maxArtifacts)
		if err != nil {
			return nil, exit.Failf("reading artifacts: %w", err)
		}
		f, err := artifacts.Parse(path, b)
		if err != nil {
			return nil, err
		}
		for _, b := range f.Builds {
			if err := cat.add("reading "+path, b); err != nil {
				return nil, err
			}
		}
	}
	for _, flag := range c.images {
		at := strings.LastIndexByte(flag, '=') // a placeholder such as ${IMAGE:=app} has one too
		name, rest := flag[:max(at, 0)], flag[at+1:]
		ref, platforms, named := strings.Cut(rest, ";")
		if at < 0 || name == "" || ref == "" && !named {
			return nil, exit.Usagef("flag --image: %q is not NAME=REF;PLATFORMS", flag).
				Hint("write for example 'app=ghcr.io/me/app:v1@sha256:…;linux/amd64,linux/arm64', or 'app=;linux/amd64' to leave the image as it is")
		}
		var list platform.List
		if named {
			var err error
			if list, err = platform.ParseList(platforms); err != nil {
				return nil, exit.Usagef("flag --image: %w", err)
			}
		}
		if err := cat.add("flag --image", artifacts.Build{ImageName: name, Tag: ref, Platforms: list}); err != nil {
			return nil, err
		}
	}
	return cat, nil
}

func (c *catalogue) add(where string, a artifacts.Build) error {
	var ref registry.Reference // none: the image stays as it is
	if a.Tag != "" {
		var err error
		if ref, err = registry.ParseReference(a.Tag); err != nil {
			return exit.Usagef("%s: %w", where, err)
		}
	}
	b := &build{name: a.ImageName, ref: ref, text: a.Tag, platforms: a.Platforms}
	if len(b.platforms) == 0 {
		b.platforms = nil // not known: its registry is asked
	}
	name := repository(a.ImageName)
	if old := c.named[name]; old != nil && old.ref != ref {
		return exit.Usagef("%s: the image %s is given twice, as %s and as %s", where, a.ImageName, old.text, a.Tag)
	}
	c.named[name] = b
	if a.Tag == "" {
		return nil
	}
	c.built[ref.Repository.String()] = append(c.built[ref.Repository.String()], b)
	return nil
}

// repository returns an image's name without tag and digest, in full; a name
// that is not a reference stays as it is. ko writes its images as ko://IMPORTPATH.
func repository(image string) string {
	if path, ok := strings.CutPrefix(image, "ko://"); ok {
		return path
	}
	ref, err := registry.ParseReference(image)
	if err != nil {
		return image
	}
	return ref.Repository.String()
}

// find returns the build that an image in a manifest stands for, and whether the
// manifest leaves open which of its builds: then it is to be written out.
func (c *catalogue) find(image string) (b *build, open bool) {
	ref, err := registry.ParseReference(image)
	if err != nil {
		b = c.named[repository(image)]
		return b, b != nil
	}
	pinned := strings.Contains(image, "@")
	if b := c.named[ref.Repository.String()]; b != nil && (!pinned || b.ref.Digest == ref.Digest) {
		return b, !pinned
	}
	for _, b := range c.built[ref.Repository.String()] {
		if pinned && b.ref.Digest == ref.Digest || !pinned && b.ref.Tag == ref.Tag {
			return b, !pinned
		}
	}
	return nil, false
}
