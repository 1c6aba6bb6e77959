package main

import (
	"slices"

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

// String gives what results name the index by, without a tag.
func (d destination) String() string {
	if d.layout != "" {
		return layout.Name{Path: d.layout}.String()
	}
	return d.repo.String()
}

// destination gives where the index goes.
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
		return d, exit.Usagef("flag --output: %q is no OCI layout", c.output).Hint("write oci:PATH or oci:PATH:TAG")
	case c.append:
		return d, exit.Usagef("flag --append works on a registry's index, and --output writes to a layout")
	}
	d.layout = name.Path
	if c.image != "" {
		if d.repo, _, err = c.repository(); err != nil {
			return d, err
		}
	}
	d.tags, err = c.allTags(name.Tag)
	if err == nil && len(d.tags) == 0 && c.childTags != "none" {
		err = exit.Usagef("flag --tag is missing: --child-tags %s adds to it", c.childTags)
	}
	return d, err
}

// target gives the repository and the tags of an index that is pushed.
func (c *config) target() (repo registry.Repository, tags []string, err error) {
	if c.image == "" {
		return repo, nil, exit.Usagef("flag --image is missing: it names the repository of the index")
	}
	repo, tag, err := c.repository()
	if err != nil {
		return repo, nil, err
	}
	tags, err = c.allTags(tag)
	if err == nil && len(tags) == 0 {
		err = exit.Usagef("flag --tag is missing: registries remove an index that has no tag").Hint("for example --tag latest")
	}
	return repo, tags, err
}

// repository gives what --image says.
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

// allTags gives the tags of the flags after the first one, each once.
func (c *config) allTags(first string) (tags []string, err error) {
	for _, t := range append([]string{first}, c.tags...) {
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
