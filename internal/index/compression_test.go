package index_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

// zstdApp is an image like imagetest.App's, with zstd layers.
func zstdApp(p, text string) imagetest.Spec {
	s := imagetest.App(p, imagetest.Arch(p), text)
	s.Compress = imagetest.Zstd
	s.LayerType = types.OCILayerZStd
	return s
}

// inIndex says what an index lists: its platforms, and those marked as zstd.
func inIndex(t *testing.T, g *imagetest.Registry, name string) string {
	t.Helper()
	var doc v1.IndexManifest
	if err := json.Unmarshal(g.Manifest("app", name), &doc); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, d := range doc.Manifests {
		s := d.Platform.String()
		if a := d.Annotations["io.github.containers.compression.zstd"]; a != "" {
			s += "=" + a
		}
		var m v1.Manifest
		if err := json.Unmarshal(g.Manifest("app", d.Digest.String()), &m); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(m.Layers[0].MediaType), "zstd") != strings.HasSuffix(s, "=true") {
			s += " (" + string(m.Layers[0].MediaType) + ")"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

// Two images for one platform are one for those who can read zstd, and one for
// everybody, who takes the first.
func TestTwoCompressions(t *testing.T) {
	g := imagetest.NewRegistry()
	for _, p := range []string{"linux/amd64", "linux/arm64"} {
		arch := imagetest.Arch(p)
		push(t, g, "app:"+arch, imagetest.App(p, arch, "text"))
		push(t, g, "app:"+arch+"-2", imagetest.App(p, arch, "other"))
		push(t, g, "app:"+arch+"-zstd", zstdApp(p, "text"))
		push(t, g, "app:"+arch+"-zstd-2", zstdApp(p, "other"))
	}
	push(t, g, "app:docker", func() imagetest.Spec { s := imagetest.App("linux/amd64", "amd64", "text"); s.Docker = true; return s }())
	const pair = "linux/amd64 linux/amd64=true"
	for _, c := range []struct{ sources, want string }{
		{"amd64-zstd amd64", pair},
		{"amd64 amd64-zstd arm64-zstd arm64", pair + " linux/arm64 linux/arm64=true"},
		{"amd64-zstd arm64", "linux/amd64 (application/vnd.oci.image.layer.v1.tar+zstd) linux/arm64"}, // alone it is as it was
		{"docker amd64-zstd", pair},
		{"amd64 amd64-2", "are both for linux/amd64"},
		{"amd64-zstd amd64-zstd-2", "are both for linux/amd64"},
		{"amd64 amd64-zstd amd64-2", "are both for linux/amd64"},
	} {
		for _, mode := range []verify.Mode{verify.Off, verify.Entrypoint} {
			var words []string
			for w := range strings.FieldsSeq(c.sources) {
				words = append(words, sourceHost+"/app:"+w)
			}
			r, err := index.Stitch(t.Context(), index.Job{
				Client: hosts{sourceHost: g}.client(), Sources: parse(t, words...), Verify: mode,
				Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(1),
			})
			got := fmt.Sprint(err)
			if err == nil {
				got = inIndex(t, g, "v1")
				if r.Index.MediaType != types.OCIImageIndex {
					t.Errorf("%s: it is %s", c.sources, r.Index.MediaType)
				}
			}
			if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
				t.Errorf("%s: %s, want %s", c.sources, got, c.want)
			}
		}
	}
}

// An index with both is a source like any other; a new build replaces both, and
// what is attached is attached to both, which have tags of their own.
func TestBothCompressionsGoTogether(t *testing.T) {
	g := imagetest.NewRegistry()
	push(t, g, "app:amd64", imagetest.App("linux/amd64", "amd64", "text"))
	push(t, g, "app:amd64-zstd", zstdApp("linux/amd64", "text"))
	push(t, g, "app:amd64-2", imagetest.App("linux/amd64", "amd64", "other"))
	push(t, g, "app:amd64-zstd-2", zstdApp("linux/amd64", "other"))
	push(t, g, "app:arm64", imagetest.App("linux/arm64", "arm64", "text"))
	run := func(tag string, appended bool, refs ...string) *index.Result {
		t.Helper()
		var words []string
		for _, r := range refs {
			words = append(words, sourceHost+"/app:"+r)
		}
		r, err := index.Stitch(t.Context(), index.Job{
			Client: hosts{sourceHost: g}.client(), Sources: parse(t, words...), Verify: verify.Off, Append: appended, ChildTags: true,
			Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: []string{tag}, Attach: []index.Attachment{attachment("text/plain", "linux/amd64", "text")},
			Gate: func(_ context.Context, r *index.Result) error {
				for _, i := range r.Images {
					want := 0
					if i.Platform.Arch == "amd64" {
						want = 1
					}
					if n := len(listed(g, "app", i.Descriptor.Digest.String(), false)); n != want {
						t.Errorf("%s: %s, zstd: %v: %d referrers before the gate, want %d", tag, i.Platform, i.Zstd, n, want)
					}
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	const both = "linux/amd64 linux/amd64=true linux/arm64"
	run("v1", false, "amd64-zstd", "amd64", "arm64")
	if got := inIndex(t, g, "v1"); got != both {
		t.Error(got)
	}
	if a, b := g.Tag("app", "v1_linux_amd64"), g.Tag("app", "v1_linux_amd64_zstd"); a == "" || b == "" || a == b {
		t.Errorf("the images' tags name %q and %q", a, b)
	}
	if r := run("v2", false, "v1"); inIndex(t, g, "v2") != both || r.Platforms().String() != "linux/amd64,linux/arm64" {
		t.Errorf("of an index: %s", inIndex(t, g, "v2"))
	}
	before := g.Tag("app", "v2")
	run("v2", true, "amd64-zstd-2", "amd64-2")
	if got := inIndex(t, g, "v2"); got != both || g.Tag("app", "v2") == before {
		t.Errorf("both replaced: %s", got)
	}
	run("v2", true, "amd64")
	if got := inIndex(t, g, "v2"); got != "linux/amd64 linux/arm64" {
		t.Errorf("replaced by one: %s", got)
	}
}
