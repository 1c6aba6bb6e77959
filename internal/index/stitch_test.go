package index_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

// hosts is a transport to registries by their hosts.
type hosts map[string]*imagetest.Registry

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) { return h[r.URL.Host].RoundTrip(r) }

func (h hosts) client() *registry.Client {
	o := registry.Options{Transport: h}
	for host := range h {
		o.Insecure = append(o.Insecure, host)
	}
	return registry.New(o)
}

func parse(t *testing.T, words ...string) []index.Source {
	t.Helper()
	var all []index.Source
	for _, w := range words {
		s, err := index.ParseSource(w, registry.Repository{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func push(t *testing.T, g *imagetest.Registry, ref string, s imagetest.Spec) v1.Hash {
	t.Helper()
	d, err := s.Push(sourceHost+"/"+ref, remote.WithTransport(g))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What the config leaves open others may fill in; what it says they must not
// contradict. os.version tells images for several versions of Windows apart
// (docker/buildx#563).
func TestPlatforms(t *testing.T) {
	g := imagetest.NewRegistry()
	for tag, s := range map[string]imagetest.Spec{
		"arm": {Platform: "linux/arm"}, "armv7": {Platform: "linux/arm/v7"}, "arm64": {Platform: "linux/arm64"}, "none": {},
		"win1": {Platform: "windows/amd64", OSVersion: "10.0.17763.1"}, "win2": {Platform: "windows/amd64", OSVersion: "10.0.20348.1"},
		"win3": {Platform: "windows/amd64", OSVersion: "10.0.20348.1", Cmd: []string{"other"}},
	} {
		push(t, g, "app:"+tag, s)
	}
	for _, c := range []struct{ sources, want string }{
		{"app:arm", "linux/arm"},
		{"app:arm=linux/arm/v7", "linux/arm/v7"},
		{"app:armv7=linux/arm", "linux/arm/v7"},
		{"app:armv7=linux/arm/v6", "was declared to be for linux/arm/v6, and its config says linux/arm/v7"},
		{"app:arm64=linux/arm", "was declared to be for linux/arm, and its config says linux/arm64"},
		{"app:arm app:armv7", "linux/arm linux/arm/v7"},
		{"app:win1 app:win2", "windows/amd64:10.0.17763.1 windows/amd64:10.0.20348.1"},
		{"app:win2 app:win3", "are both for windows/amd64"},
		{"app:arm64 app:arm64", "linux/arm64"},
		{"app:none", "must both be set"},
	} {
		var words []string
		for w := range strings.FieldsSeq(c.sources) {
			words = append(words, sourceHost+"/"+w)
		}
		r, err := index.Stitch(t.Context(), index.Job{
			Client: hosts{sourceHost: g}.client(), Sources: parse(t, words...), Verify: verify.Entrypoint,
			Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(1),
		})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			var all []string
			for _, i := range r.Images {
				all = append(all, i.Descriptor.Platform.String())
			}
			got = strings.Join(all, " ")
		}
		if err == nil && got != c.want || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.sources, got, c.want)
		}
	}
}

// Signatures and SBOMs come along, and those that refer to them: found by
// their subject, or by cosign's tags.
func TestReferrers(t *testing.T) {
	from, to := imagetest.NewRegistry(), imagetest.NewRegistry()
	digest := push(t, from, "app:v1", imagetest.App("linux/arm64", "arm64", "text"))
	subject := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digest, Size: 1}
	artifact := func(ref, text string, of v1.Descriptor) v1.Descriptor {
		img := mutate.Annotations(mutate.MediaType(empty.Image, types.OCIManifestSchema1), map[string]string{"text": text}).(v1.Image)
		img = mutate.Subject(img, of).(v1.Image)
		r, err := name.ParseReference(sourceHost+"/"+ref, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(r, img, remote.WithTransport(from)); err != nil {
			t.Fatal(err)
		}
		d, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: d, Size: 1}
	}
	sbom := artifact("app:sbom", "SBOM", subject)
	signature := artifact("app:signature", "signature of the SBOM", sbom)
	cosign := strings.Replace(digest.String(), ":", "-", 1) + ".sig"
	artifact("app:"+cosign, "cosign", v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digest, Size: 2})

	r, err := index.Stitch(t.Context(), index.Job{
		Client: hosts{sourceHost: from, targetHost: to}.client(), Sources: parse(t, sourceHost+"/app:v1"), Verify: verify.Off,
		Target: registry.Repository{Host: targetHost, Path: "copy"}, Tags: tags(1), Referrers: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for what, d := range map[string]string{"the SBOM": sbom.Digest.String(), "its signature": signature.Digest.String(), "cosign's tag": cosign} {
		if to.Manifest("copy", d) == nil {
			t.Errorf("%s was not copied", what)
		}
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "referrers") {
		t.Errorf("notes %q", r.Notes)
	}
}
