package index_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

// platforms are enough for the largest index here.
var platforms = []string{
	"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "linux/ppc64le", "linux/riscv64", "linux/386", "linux/loong64",
	"linux/arm/v6", "linux/arm/v5", "linux/mips64le", "linux/mipsle", "linux/mips", "linux/ppc64", "linux/sparc64", "freebsd/amd64",
}

// filled makes a registry that holds an image app:PLATFORM for each platform.
func filled(t *testing.T, n int) *imagetest.Registry {
	t.Helper()
	g := imagetest.NewRegistry()
	for _, p := range platforms[:n] {
		spec := imagetest.App(p, imagetest.Arch(p), p)
		if _, err := spec.Push("registry.test/app:"+slug(p), remote.WithTransport(g)); err != nil {
			t.Fatal(err)
		}
	}
	g.Reset()
	return g
}

func slug(p string) string { return strings.ReplaceAll(p, "/", "_") }

func sources(host string, n int, declared bool) []index.Source {
	var ss []index.Source
	for _, p := range platforms[:n] {
		s := index.Source{Ref: host + "/app:" + slug(p)}
		if declared {
			q, err := platform.Parse(p)
			if err != nil {
				panic(err)
			}
			s.Platform = &q
		}
		ss = append(ss, s)
	}
	return ss
}

// keychain is a Docker config for tests: credentials by host.
type keychain map[string]authn.AuthConfig

func (k keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if c, ok := k[r.RegistryStr()]; ok {
		return authn.FromConfig(c), nil
	}
	return authn.Anonymous, nil
}

const (
	sourceHost, targetHost = "source.test", "target.test"
	// trip is how long each answer takes. On the clock of a synctest bubble
	// nothing else takes time, so a run lasts as many trips as it makes.
	trip = time.Second
)

// client is one for a network, with the credential that the registries need.
func client(network *imagetest.Network) *registry.Client {
	return registry.New(registry.Options{
		Keychain:  keychain{sourceHost: {Username: "user", Password: "password"}, targetHost: {Username: "user", Password: "password"}},
		Insecure:  []string{sourceHost, targetHost},
		Transport: network.Transport(),
	})
}

func tags(n int) []string { return []string{"v1", "v1.2", "latest"}[:n] }

// The number of round trips does not depend on how many platforms and tags
// there are, and no request is sent without need.
func TestRoundTrips(t *testing.T) {
	for _, c := range []struct {
		name     string
		auth     string
		declared bool
		verify   verify.Mode
		trips    int                // with one tag
		requests func(n, t int) int // with one tag; with several, two looks at each and one request that stores the index
	}{
		{"platforms from the configs", "", false, verify.Off, 3, func(n, t int) int { return 2*n + t }},
		{"platforms declared", "", true, verify.Off, 2, func(n, t int) int { return n + t }},
		{"programs verified", "", false, verify.Entrypoint, 3, func(n, t int) int { return 2*n + t + n }}, // the program is in the top one of two layers
		{"Bearer", "bearer", false, verify.Off, 5, func(n, t int) int { return 2*n + t + 2 }},
		{"Basic", "basic", false, verify.Off, 4, func(n, t int) int { return 2*n + t + 1 }},
		{"Bearer, verified", "bearer", false, verify.Entrypoint, 5, func(n, t int) int { return 2*n + t + 2 + n }},
	} {
		for _, n := range []int{1, 4, 16} {
			for _, nt := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s/%d/%d", c.name, n, nt), func(t *testing.T) {
					g := filled(t, n)
					g.Auth = c.auth
					synctest.Test(t, func(t *testing.T) {
						network := imagetest.NewNetwork()
						defer network.Close()
						network.Serve(sourceHost, trip, g)
						cl := client(network)
						if c.auth == "" { // a credential that nobody asks for costs one trip: see below
							cl = registry.New(registry.Options{Insecure: []string{sourceHost}, Transport: network.Transport()})
						}
						started := time.Now()
						_, err := index.Stitch(t.Context(), index.Job{
							Client: cl, Sources: sources(sourceHost, n, c.declared), Verify: c.verify,
							Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(nt),
						})
						if err != nil {
							t.Fatal(err)
						}
						trips, requests := c.trips, c.requests(n, nt)
						if nt > 1 {
							trips += 2
							requests += 1 + 2*nt
						}
						expect(t, g, time.Since(started), trips, requests)
						for _, tag := range tags(nt) {
							if g.Tag("app", tag) == "" {
								t.Errorf("there is no tag %s", tag)
							}
						}
					})
				})
			}
		}
	}
}

// A gate costs one round trip, however many platforms and tags there are, and
// sees the index where its digest is before any tag names it. Without one there
// is not a request more.
func TestRoundTripsOfAGate(t *testing.T) {
	for _, n := range []int{1, 4, 16} {
		for _, nt := range []int{1, 3} {
			g := filled(t, n)
			synctest.Test(t, func(t *testing.T) {
				network := imagetest.NewNetwork()
				defer network.Close()
				network.Serve(sourceHost, trip, g)
				cl := registry.New(registry.Options{Insecure: []string{sourceHost}, Transport: network.Transport()})
				asked := 0
				started := time.Now()
				_, err := index.Stitch(t.Context(), index.Job{
					Client: cl, Sources: sources(sourceHost, n, false), Verify: verify.Off,
					Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(nt),
					Gate: func(_ context.Context, r *index.Result) error {
						asked++
						if g.Manifest("app", r.Index.Digest.String()) == nil || len(r.Images) != n {
							t.Errorf("the gate is asked about %d images, and the index is not there", len(r.Images))
						}
						for _, tag := range tags(nt) {
							if g.Tag("app", tag) != "" {
								t.Errorf("%s names the index before the gate", tag)
							}
						}
						return nil
					},
				})
				if err != nil || asked != 1 {
					t.Fatalf("the gate was asked %d times: %v", asked, err)
				}
				trips, requests := 4, 2*n+nt+1
				if nt > 1 {
					trips += 2
					requests += 2 * nt
				}
				expect(t, g, time.Since(started), trips, requests)
			})
		}
	}
}

// What a gate refuses gets no tag, of children neither.
func TestARefusal(t *testing.T) {
	g := filled(t, 2)
	no := errors.New("no")
	_, err := index.Stitch(t.Context(), index.Job{
		Client: hosts{sourceHost: g}.client(), Sources: sources(sourceHost, 2, false), Verify: verify.Off,
		Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(3), ChildTags: true,
		Gate: func(context.Context, *index.Result) error { return no },
	})
	if !errors.Is(err, no) {
		t.Error(err)
	}
	for _, tag := range append(tags(3), "v1_linux_amd64") {
		if d := g.Tag("app", tag); d != "" {
			t.Errorf("%s names %s", tag, d)
		}
	}
}

func expect(t *testing.T, g *imagetest.Registry, took time.Duration, trips, requests int) {
	t.Helper()
	if got := int(took / trip); got != trips {
		t.Errorf("%d round trips, want %d", got, trips)
	}
	if got := len(g.Requests()); got != requests {
		t.Errorf("%d requests, want %d:", got, requests)
		for _, r := range g.Requests() {
			t.Log(r.Status, r.Method, r.Path, r.Query)
		}
	}
}

// A registry that is open though there is a credential for it costs one trip.
func TestRoundTripsWithACredentialInVain(t *testing.T) {
	g := filled(t, 4)
	synctest.Test(t, func(t *testing.T) {
		network := imagetest.NewNetwork()
		defer network.Close()
		network.Serve(sourceHost, trip, g)
		started := time.Now()
		_, err := index.Stitch(t.Context(), index.Job{
			Client: client(network), Sources: sources(sourceHost, 4, false), Verify: verify.Off,
			Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(1),
		})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, g, time.Since(started), 4, 9)
	})
}

// Images that come from elsewhere: N images of L layers are N(L+4) + T
// requests where blobs can be mounted, and N(3L+5) + T where they are copied.
func TestRoundTripsOfCopies(t *testing.T) {
	const layers = 2
	for _, c := range []struct {
		name               string
		auth               string
		elsewhere, noMount bool
		trips              int
		requests           func(n int) int
	}{
		{"another repository", "", false, false, 4, func(n int) int { return n*(layers+4) + 1 }},
		{"another repository, Bearer", "bearer", false, false, 6, func(n int) int { return n*(layers+4) + 1 + 2 }},
		{"another repository, mounts refused", "", false, true, 6, func(n int) int { return n*(layers+4) + 1 + n*(2*layers+1) }},
		{"another registry", "", true, false, 5, func(n int) int { return n*(3*layers+5) + 1 }},
		{"another registry, Bearer", "bearer", true, false, 7, func(n int) int { return n*(3*layers+5) + 1 + 4 }},
	} {
		for _, n := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s/%d", c.name, n), func(t *testing.T) {
				from, to := filled(t, n), imagetest.NewRegistry()
				from.Auth, to.Auth, from.NoMount = c.auth, c.auth, c.noMount
				synctest.Test(t, func(t *testing.T) {
					network := imagetest.NewNetwork()
					defer network.Close()
					network.Serve(sourceHost, trip, from)
					network.Serve(targetHost, trip, to)
					cl := client(network)
					if c.auth == "" {
						cl = registry.New(registry.Options{Insecure: []string{sourceHost, targetHost}, Transport: network.Transport()})
					}
					target := registry.Repository{Host: sourceHost, Path: "copy"}
					if c.elsewhere {
						target.Host = targetHost
					}
					started := time.Now()
					r, err := index.Stitch(t.Context(), index.Job{Client: cl, Sources: sources(sourceHost, n, false), Verify: verify.Off, Target: target, Tags: tags(1)})
					if err != nil {
						t.Fatal(err)
					}
					if got := int(time.Since(started) / trip); got != c.trips {
						t.Errorf("%d round trips, want %d", got, c.trips)
					}
					if got, want := len(from.Requests())+len(to.Requests()), c.requests(n); got != want {
						t.Errorf("%d requests, want %d:", got, want)
						for _, r := range append(from.Requests(), to.Requests()...) {
							t.Log(r.Status, r.Method, r.Path, r.Query)
						}
					}
					at := from
					if c.elsewhere {
						at = to
					}
					for _, i := range r.Images {
						for _, l := range i.Layers {
							if !at.HasBlob("copy", l.Digest.String()) {
								t.Errorf("%s: %s is missing", i.Platform, l.Digest)
							}
						}
					}
				})
			})
		}
	}
}
