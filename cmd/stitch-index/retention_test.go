package main

import (
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/registry"
)

func TestUntaggedNote(t *testing.T) {
	at := func(host string) destination {
		return destination{repo: registry.Repository{Host: host, Path: "me/app"}, tags: []string{"v1"}}
	}
	for _, c := range []struct {
		host     string
		untagged int
		dry      bool
		want     string
	}{
		{"ghcr.io", 2, false, "2 images of the index have no tags of their own, and actions that delete untagged versions"},
		{"ghcr.io", 1, false, "1 image of the index has no tag of its own"},
		{"ghcr.io", 0, false, ""},
		{"ghcr.io", 2, true, ""},
		{"registry.example", 2, false, ""},
	} {
		cfg := &config{dryRun: c.dry}
		if got := cfg.untaggedNote(at(c.host), &index.Result{Untagged: c.untagged}); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
