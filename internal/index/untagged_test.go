package index_test

import (
	"testing"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

// An image is untagged if nothing but the index names it.
func TestUntagged(t *testing.T) {
	g := filled(t, 2)
	hosts := hosts{sourceHost: g, targetHost: imagetest.NewRegistry()}
	digest := g.Tag("app", slug(platforms[1]))
	for _, c := range []struct {
		name, target string
		sources      []string
		childTags    bool
		want         int
	}{
		{"by their tags", sourceHost, []string{"app:linux_amd64", "app:linux_arm64"}, false, 0},
		{"by tag and digest", sourceHost, []string{"app:linux_amd64", "app:linux_arm64@" + digest}, false, 0},
		{"by digest", sourceHost, []string{"app:linux_amd64", "app@" + digest}, false, 1},
		{"by digest, tagged", sourceHost, []string{"app:linux_amd64", "app@" + digest}, true, 0},
		{"from elsewhere", targetHost, []string{"app:linux_amd64", "app:linux_arm64"}, false, 2},
		{"of an index", sourceHost, []string{"app:v1"}, false, 2},
	} {
		var words []string
		for _, s := range c.sources {
			words = append(words, sourceHost+"/"+s)
		}
		r, err := index.Stitch(t.Context(), index.Job{
			Client: hosts.client(), Sources: parse(t, words...), Verify: verify.Off, ChildTags: c.childTags,
			Target: registry.Repository{Host: c.target, Path: "app"}, Tags: []string{"v1"},
		})
		if err != nil || r.Untagged != c.want {
			t.Errorf("%s: %v, %d images without a tag, want %d", c.name, err, r.Untagged, c.want)
		}
	}
}
