package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/registry"
)

// destination is where the index goes.
type destination struct {
	repo   registry.Repository // zero if --image is missing
	layout string              // the folder of --output; empty: the index goes to repo
	tags   []string
}

// String returns what results name the index by, without a tag.
func (d destination) String() string {
	if d.layout != "" {
		return layout.Name{Path: d.layout}.String()
	}
	return d.repo.String()
}

// destination returns where the index goes.
func (c *config) destination() (d destination, err error) {
	if c.output == "" {
		d.repo, d.tags, err = c.target()
		return d, err
	}
	name, ok, err := layout.ParseName(c.output)
	switch {
	case err != nil:
		return d, exit.Usagef("flag --output: %w", err)
	case !ok:
		return d, exit.Usagef("flag --output: %q is not an OCI layout", c.output).Hint("write oci:PATH or oci:PATH:TAG")
	case c.append:
		return d, exit.Usagef("flag --append works on a registry's index, and --output writes to a layout")
	case c.keep:
		return d, exit.Usagef("flag --keep-platforms looks at a registry's tags, and --output writes to a layout")
	}
	d.layout = name.Path
	if c.image != "" {
		if d.repo, _, err = c.repository(); err != nil {
			return d, err
		}
	}
	d.tags, err = c.allTags(name.Tag, d.repo)
	if err == nil && len(d.tags) == 0 && c.childTags != "none" {
		err = exit.Usagef("flag --tag is missing: --child-tags %s adds to it", c.childTags)
	}
	return d, err
}

// target returns the repository and the tags of an index that is pushed.
func (c *config) target() (repo registry.Repository, tags []string, err error) {
	if c.image == "" {
		if repo, ok, err := c.named(); ok || err != nil {
			tags, terr := c.allTags("", repo)
			return repo, tags, errors.Join(err, terr)
		}
		return repo, nil, exit.Usagef("flag --image is missing: it names the repository of the index")
	}
	repo, tag, err := c.repository()
	if err != nil {
		return repo, nil, err
	}
	tags, err = c.allTags(tag, repo)
	if err == nil && len(tags) == 0 {
		err = exit.Usagef("flag --tag is missing: registries remove an index that has no tag").Hint("for example --tag latest")
	}
	return repo, tags, err
}

// repository returns what --image says.
func (c *config) repository() (repo registry.Repository, tag string, err error) {
	ref, err := registry.ParseName(c.image)
	if err != nil {
		return repo, "", exit.Usagef("flag --image: %w", err)
	}
	if ref.Digest.Hex != "" {
		return repo, "", exit.Usagef("flag --image: %s has a digest, which the index does not have yet", c.image).Hint("write %s", ref.Repository)
	}
	return ref.Repository, ref.Tag, nil
}

// allTags returns the tags of the flags after the first one, each once.
// A tag may be written with its repository, as docker/metadata-action gives
// them; then that has to be repo, if there is one.
func (c *config) allTags(first string, repo registry.Repository) (tags []string, err error) {
	for _, t := range append([]string{first}, c.tags...) {
		if strings.ContainsAny(t, "/:") {
			ref, err := fullTag(t)
			if err != nil {
				return nil, err
			}
			if repo.Path != "" && ref.Repository != repo {
				return nil, exit.Usagef("flag --tag: %s is of another repository than %s", t, repo).
					Hint("run it once for each repository, with the tags of that one")
			}
			t = ref.Tag
		}
		if t == "" || slices.Contains(tags, t) {
			continue
		}
		if _, err := registry.ParseTag(t); err != nil {
			return nil, exit.Usagef("flag --tag: %w", err)
		}
		tags = append(tags, t)
	}
	return tags, nil
}

// fullTag reads HOST/PATH:TAG.
func fullTag(s string) (registry.Reference, error) {
	ref, err := registry.ParseName(s)
	if err != nil {
		return ref, exit.Usagef("flag --tag: %w", err)
	}
	if ref.Tag == "" || ref.Digest.Hex != "" {
		return ref, exit.Usagef("flag --tag: %q is neither TAG nor HOST/PATH:TAG", s)
	}
	return ref, nil
}

// named returns the repository of the first tag that names one.
func (c *config) named() (repo registry.Repository, ok bool, err error) {
	for _, t := range c.tags {
		if strings.ContainsAny(t, "/:") {
			ref, err := fullTag(t)
			return ref.Repository, err == nil, err
		}
	}
	return repo, false, nil
}

// given returns the repository that the flags name; zero if they name none.
func (c *config) given() (repo registry.Repository, err error) {
	if c.image != "" {
		repo, _, err = c.repository()
		return repo, err
	}
	repo, _, err = c.named()
	return repo, err
}
