package published_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/published"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

const host = "registry.test"

// platforms are enough for the largest index here.
var platforms = []string{
	"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "linux/ppc64le", "linux/riscv64", "linux/386", "linux/loong64",
	"linux/arm/v6", "linux/arm/v5", "linux/mips64le", "linux/mipsle", "linux/mips", "linux/ppc64", "linux/sparc64", "freebsd/amd64",
}

func specs(n int) (all []imagetest.Spec) {
	for _, p := range platforms[:n] {
		s := imagetest.App(p, imagetest.Arch(p), "text")
		s.Layers[1] = append(s.Layers[1], imagetest.File{Name: "platform.txt", Body: p}) // no two are the same
		all = append(all, s)
	}
	return all
}

// serve calls f with an address of the registry, which takes no time.
func serve(g *imagetest.Registry, f func(at string)) {
	s := httptest.NewServer(g)
	defer s.Close()
	f(strings.TrimPrefix(s.URL, "http://"))
}

// filled makes a registry with app:v1, an index of images with an attestation
// each.
func filled(t *testing.T, n int) *imagetest.Registry {
	t.Helper()
	g := imagetest.NewRegistry()
	serve(g, func(at string) {
		if _, err := imagetest.PushIndex(at+"/app:v1", specs(n)...); err != nil {
			t.Fatal(err)
		}
	})
	g.Reset()
	return g
}

// check checks names at a registry, on a clock that waits for nothing.
func check(t *testing.T, g *imagetest.Registry, names ...string) (r *published.Report, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := imagetest.NewNetwork()
		defer network.Close()
		network.Serve(host, time.Second, g)
		j := published.Job{
			Client: registry.New(registry.Options{Insecure: []string{host}, Transport: network.Transport(), Keychain: keychain{}}),
			Verify: verify.Entrypoint,
		}
		for _, n := range names {
			name, err := published.ParseName(n, registry.Repository{})
			if err != nil {
				t.Fatal(err)
			}
			j.Names = append(j.Names, name)
		}
		r, err = published.Check(t.Context(), j)
	})
	return r, err
}

// refer stores an artifact that refers to what app has under a name, or, with a
// tag, as cosign keeps it.
func refer(t *testing.T, g *imagetest.Registry, to, tag string) string {
	t.Helper()
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.example+json")
	img, err := mutate.AppendLayers(img, static.NewLayer([]byte("evidence about "+to+tag), "application/vnd.example"))
	if err != nil {
		t.Fatal(err)
	}
	repo, err := name.NewRepository(host+"/app", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if tag == "" {
		b := g.Manifest("app", to)
		d, n, err := v1.SHA256(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		img = mutate.Subject(img, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: d, Size: n}).(v1.Image)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	var ref name.Reference = repo.Digest(digest.String())
	if tag != "" {
		ref = repo.Tag(tag)
	}
	if err := remote.Write(ref, img, remote.WithTransport(g)); err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// children returns the digests of the images of app:v1, in their order.
func children(t *testing.T, g *imagetest.Registry) (all []string) {
	t.Helper()
	doc, err := v1.ParseIndexManifest(bytes.NewReader(g.Manifest("app", "v1")))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range doc.Manifests {
		if d.Annotations == nil {
			all = append(all, d.Digest.String())
		}
	}
	return all
}

// The number of round trips does not depend on how many platforms there are.
func TestRoundTrips(t *testing.T) {
	for _, c := range []struct {
		name, auth string
		mode       verify.Mode
		evidence   bool
		trips      int
		most       int // of 16 platforms: no more than 64 requests are sent at a time
		requests   func(n int) int
	}{
		// the index and the tags; images, attestations and what refers to them;
		// configs, two layers (one that all share), two parts of each attestation; a top
		// layer is read instead of looked up
		{"whole", "", verify.Off, false, 3, 4, func(n int) int { return 2 + (3*n + 1) + (n + n + 1 + 2*n) }},
		{"verified", "", verify.Entrypoint, false, 3, 4, func(n int) int { return 2 + (3*n + 1) + (n + n + 1 + 2*n) }},
		{"Bearer", "bearer", verify.Entrypoint, false, 5, 6, func(n int) int { return 2 + 2 + (3*n + 1) + (n + n + 1 + 2*n) }},
		// a referrer and a signature of the index and each image: their manifests,
		// and then their two parts, of which all share the config
		{"signed", "", verify.Entrypoint, true, 4, 5, func(n int) int {
			return 2 + (3*n + 1) + (n + n + 1 + 2*n) + 2*(n+1) + 2*(n+1) + 1
		}},
	} {
		for _, n := range []int{1, 4, 16} {
			t.Run(fmt.Sprintf("%s/%d", c.name, n), func(t *testing.T) {
				g := filled(t, n)
				if c.evidence {
					for _, d := range append(children(t, g), g.Tag("app", "v1")) {
						refer(t, g, d, "")
						refer(t, g, d, strings.Replace(d, ":", "-", 1)+".sig")
					}
				}
				g.Auth = c.auth
				synctest.Test(t, func(t *testing.T) {
					const trip = time.Second
					network := imagetest.NewNetwork()
					defer network.Close()
					network.Serve(host, trip, g)
					name, err := published.ParseName(host+"/app:v1", registry.Repository{})
					if err != nil {
						t.Fatal(err)
					}
					o := registry.Options{Insecure: []string{host}, Transport: network.Transport()}
					if c.auth != "" {
						o.Keychain = keychain{}
					}
					started := time.Now()
					r, err := published.Check(t.Context(), published.Job{Client: registry.New(o), Names: []published.Name{name}, Verify: c.mode})
					if err != nil || !r.Whole() {
						t.Fatalf("%v, %+v", err, r)
					}
					want := c.trips
					if n == 16 {
						want = c.most
					}
					if got := int(time.Since(started) / trip); got != want {
						t.Errorf("%d round trips, want %d", got, want)
					}
					if got, want := len(g.Requests()), c.requests(n); got != want {
						t.Errorf("%d requests, want %d:", got, want)
						for _, r := range g.Requests() {
							t.Log(r.Status, r.Method, r.Path, r.Query)
						}
					}
					if want := n + map[bool]int{true: 2 * (n + 1)}[c.evidence]; r.Images[0].Evidence != want {
						t.Errorf("%d pieces of evidence, want %d", r.Images[0].Evidence, want)
					}
				})
			})
		}
	}
}

type keychain struct{}

func (keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig{Username: "user", Password: "password"}), nil
}
