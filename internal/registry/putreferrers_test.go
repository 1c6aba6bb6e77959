package registry_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/registry"
)

// referrer makes a manifest that refers to subject.
func referrer(t *testing.T, subject v1.Hash, text string) registry.NewReferrer {
	t.Helper()
	b := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"artifactType":"text/plain","config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[],"subject":{"mediaType":%q,"size":1,"digest":%q},"annotations":{"text":%q}}`,
		types.OCIManifestSchema1, types.OCIManifestSchema1, subject, text)
	d := describe(t, b)
	d.MediaType, d.ArtifactType = types.OCIManifestSchema1, "text/plain"
	return registry.NewReferrer{Manifest: &registry.Manifest{MediaType: d.MediaType, Digest: d.Digest, Bytes: b}, Descriptor: d}
}

// What refers to a manifest is found by the API where there is one, whether or
// not the registry says so, and by a tag elsewhere.
func TestPutReferrers(t *testing.T) {
	subject := someBlob.Digest
	tag := strings.Replace(subject.String(), ":", "-", 1)
	for name, c := range map[string]struct {
		without, silent, byTag bool
		requests               int
	}{
		"says so":        {requests: 3},
		"does not say":   {silent: true, requests: 4},
		"lists nothing":  {without: true, byTag: true, requests: 3 + 1 + 3}, // the API, the list, the new one, and a look at it
		"lists the tags": {without: true, silent: true, byTag: true, requests: 3 + 1 + 3},
	} {
		g := imagetest.NewRegistry()
		g.NoReferrers = c.without
		var h http.Handler = g
		if c.silent {
			h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.ServeHTTP(silent{w}, r) })
		}
		onNetwork(t, h, authn.AuthConfig{}, func(t *testing.T, cl *registry.Client) {
			rs := []registry.NewReferrer{referrer(t, subject, "one"), referrer(t, subject, "two"), referrer(t, subject, "three")}
			for _, r := range rs {
				putBlob(t, g, r)
			}
			g.Reset()
			byTag, err := cl.PutReferrers(t.Context(), app, subject, rs)
			if err != nil || byTag != c.byTag || (g.Tag("app", tag) != "") != c.byTag {
				t.Errorf("%s: by a tag: %v, the tag names %q: %v", name, byTag, g.Tag("app", tag), err)
			}
			if n := len(g.Requests()); n != c.requests {
				t.Errorf("%s: %d requests, want %d: %v", name, n, c.requests, g.Requests())
			}
			found, err := cl.Referrers(t.Context(), app, subject)
			if err != nil || len(found) != 3 {
				t.Errorf("%s: %d referrers are found: %v", name, len(found), err)
			}
		})
	}
}

// putBlob gives the registry what a manifest needs.
func putBlob(t *testing.T, g *imagetest.Registry, _ registry.NewReferrer) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "/v2/app/blobs/uploads/?digest=sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := g.RoundTrip(r); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatal(resp, err)
	}
}

// A silent answer does not say that the registry keeps a list.
type silent struct{ http.ResponseWriter }

func (s silent) WriteHeader(status int) {
	s.Header().Del("OCI-Subject")
	s.ResponseWriter.WriteHeader(status)
}

// Several that write the list under a tag at once, with registries that know
// conditions and with others, lose nothing that they wrote.
func TestTheListUnderATagHasSeveralWriters(t *testing.T) {
	subject := someBlob.Digest
	tag := strings.Replace(subject.String(), ":", "-", 1)
	for _, conditions := range []string{"none", "kept", "all refused"} {
		for range 20 {
			g := imagetest.NewRegistry()
			g.NoReferrers = true
			var mu sync.Mutex
			var puts atomic.Int64
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, tag) {
					puts.Add(1)
					mu.Lock()
					defer mu.Unlock()
					match := strings.Trim(r.Header.Get("If-Match"), `"`)
					if conditions == "kept" && match != "" && match != g.Tag("app", tag) || conditions == "all refused" && match != "" {
						w.WriteHeader(http.StatusPreconditionFailed)
						return
					}
				}
				g.ServeHTTP(w, r)
			})
			putBlob(t, g, registry.NewReferrer{})
			onNetwork(t, h, authn.AuthConfig{}, func(t *testing.T, cl *registry.Client) {
				var wg sync.WaitGroup
				var all []registry.NewReferrer
				for n := range 4 {
					r := referrer(t, subject, fmt.Sprint(n))
					all = append(all, r)
					wg.Go(func() {
						rs := []registry.NewReferrer{r}
						_, err := cl.PutReferrers(t.Context(), app, subject, rs)
						for range 2 { // as before tags move
							if err == nil {
								err = cl.ListReferrers(t.Context(), app, subject, rs)
							}
						}
						if err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				var list v1.IndexManifest
				if err := json.Unmarshal(g.Manifest("app", tag), &list); err != nil || len(list.Manifests) != len(all) {
					t.Errorf("%s: %d of %d are listed after %d writes: %v", conditions, len(list.Manifests), len(all), puts.Load(), err)
				}
			})
		}
	}
}

// A tag that holds something else than a list is left alone.
func TestATagThatIsNoList(t *testing.T) {
	subject := someBlob.Digest
	tag := strings.Replace(subject.String(), ":", "-", 1)
	g := imagetest.NewRegistry()
	g.NoReferrers = true
	if _, err := (imagetest.App("linux/amd64", "amd64", "text")).Push("registry.test/app:"+tag, remote.WithTransport(g)); err != nil {
		t.Fatal(err)
	}
	before := g.Tag("app", tag)
	putBlob(t, g, registry.NewReferrer{})
	onNetwork(t, g, authn.AuthConfig{}, func(t *testing.T, cl *registry.Client) {
		_, err := cl.PutReferrers(t.Context(), app, subject, []registry.NewReferrer{referrer(t, subject, "one")})
		if err == nil || !strings.Contains(err.Error(), "not a list of what refers to a manifest") || g.Tag("app", tag) != before {
			t.Errorf("%v; it names %s", err, g.Tag("app", tag))
		}
	})
}
