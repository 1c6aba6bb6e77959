package main

import (
	"strconv"

	"github.com/polyarch/polyarch/internal/index"
)

// cleanUps says of registries how images without a tag of their own are removed
// there though an index lists them.
var cleanUps = map[string]string{
	// actions/delete-package-versions#90 and #162, snok/container-retention-policy#97
	"ghcr.io": "actions that delete untagged versions (delete-package-versions, for one) delete them there",
}

// untaggedNote says that images may be removed, where that is known; "" if not.
func (c *config) untaggedNote(to destination, r *index.Result) string {
	why := cleanUps[to.repo.Host]
	if why == "" || r.Untagged == 0 || c.dryRun || to.layout != "" {
		return ""
	}
	if r.Untagged == 1 {
		return "1 image of the index has no tag of its own, and " + why + "; --child-tags suffix keeps it"
	}
	return strconv.Itoa(r.Untagged) + " images of the index have no tags of their own, and " + why + "; --child-tags suffix keeps them"
}
