package registry_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/registry"
)

// onNetwork runs f with a client of a registry on a network in memory.
func onNetwork(t *testing.T, h http.Handler, cred authn.AuthConfig, f func(*testing.T, *registry.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := imagetest.NewNetwork()
		defer network.Close()
		network.Serve("registry.test", 10*time.Millisecond, h)
		f(t, registry.New(registry.Options{
			Keychain: credentials{"registry.test": cred}, Insecure: []string{"registry.test"},
			Transport: network.Transport(), Wait: 5 * time.Second,
		}))
	})
}

var app = registry.Repository{Host: "registry.test", Path: "app"}

// A token service that fails is retried as often as anything else, however many
// requests need the token, and its answer is not taken for the registry's.
func TestATokenServiceThatFails(t *testing.T) {
	for _, kind := range []string{"429", "500", "refused", "404", "403"} {
		g, _ := guarded(t, "bearer")
		(&imagetest.Fault{Kind: kind, First: 1, Only: func(r *http.Request) bool { return r.URL.Path == "/token" }}).On(g)
		onNetwork(t, g, authn.AuthConfig{Username: "user", Password: canary}, func(t *testing.T, c *registry.Client) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var wg sync.WaitGroup
			for range 11 {
				wg.Go(func() {
					_, err := c.Manifest(ctx, app.Tag("v1"))
					want := map[string]exit.Code{"404": exit.Failed, "403": exit.Denied}[kind]
					if want == 0 {
						want = exit.Unreachable
					}
					if err == nil || registry.NotFound(err) || exit.CodeOf(err) != want || !strings.Contains(err.Error(), "getting a token") {
						t.Errorf("%s: exit code %d: %v", kind, exit.CodeOf(err), err)
					}
				})
			}
			wg.Wait()
		})
		asked := 0
		for _, r := range g.Requests() {
			if r.Path == "/token" {
				asked++
			}
		}
		if limit := map[string]int{"404": 1, "403": 1, "429": 20, "500": 6, "refused": 12}[kind]; asked > limit { // net/http itself sends again what a used connection refused
			t.Errorf("%s: the token service was asked %d times", kind, asked)
		}
	}
}

// What was sent may not have arrived everywhere when it is referred to.
func TestEventualConsistency(t *testing.T) {
	g, img := guarded(t, "")
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	fail := func(status int, code string, only func(*http.Request) bool) func() {
		var mu sync.Mutex
		left := 2
		g.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if left == 0 || !only(r) {
				return false
			}
			left--
			w.WriteHeader(status)
			if code != "" {
				io.WriteString(w, `{"errors":[{"code":"`+code+`"}]}`)
			}
			return true
		}
		return func() {
			if left > 0 {
				t.Errorf("%d %s did not happen", status, code)
			}
		}
	}
	is := func(method, part string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == method && strings.Contains(r.URL.Path, part) }
	}
	onNetwork(t, g, authn.AuthConfig{}, func(t *testing.T, c *registry.Client) {
		for _, code := range []string{"MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN", ""} {
			happened := fail(404, code, is(http.MethodPut, "/manifests/"))
			if err := c.PutManifest(t.Context(), app.Tag("v2"), &registry.Manifest{MediaType: m.MediaType, Digest: digest, Bytes: raw}); err != nil {
				t.Errorf("storing a manifest: %s: %v", code, err)
			}
			happened()
		}
		happened := fail(404, "BLOB_UNKNOWN", is(http.MethodGet, "/blobs/"))
		r, err := c.Open(t.Context(), app, m.Layers[0])
		if err != nil {
			t.Errorf("reading a layer: %v", err)
		} else {
			r.Close()
		}
		happened()
		for _, code := range []string{"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"} {
			other := registry.Repository{Host: app.Host, Path: "other-" + strings.ToLower(strings.ReplaceAll(code, "_", "-"))}
			text := "the bytes of " + code
			d := v1.Descriptor{Size: int64(len(text)), MediaType: m.Layers[0].MediaType}
			if d.Digest, _, err = v1.SHA256(strings.NewReader(text)); err != nil {
				t.Fatal(err)
			}
			happened = fail(404, code, is(http.MethodPut, "/blobs/uploads/"))
			u, err := c.Begin(t.Context(), other, d, other)
			if err != nil || u == nil {
				t.Fatal(u, err)
			}
			if err := u.Send(t.Context(), func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }); err != nil {
				t.Errorf("%s: %v", code, err)
			}
			happened()
			if !g.HasBlob(other.Path, d.Digest.String()) {
				t.Errorf("%s: the blob is not there", code)
			}
		}
		// For good it is an error soon.
		g.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut {
				return false
			}
			w.WriteHeader(404)
			return true
		}
		started := time.Now()
		if err := c.PutManifest(t.Context(), app.Tag("v3"), &registry.Manifest{MediaType: m.MediaType, Digest: digest, Bytes: raw}); !registry.NotFound(err) || time.Since(started) > 5*time.Second {
			t.Errorf("after %s: %v", time.Since(started), err)
		}
	})
}

// A limit of twenty requests a second is respected, and used.
func TestARateLimit(t *testing.T) {
	for _, c := range []struct {
		requests int
		perSec   int
		count    bool // those that are refused count too
	}{{192, 20, false}, {192, 20, true}, {400, 50, false}} {
		var mu sync.Mutex
		var window time.Time
		var used, sent, busy, most int
		g, _ := guarded(t, "")
		g.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			sent++
			if now := time.Now(); now.Sub(window) >= time.Second {
				window, used = now, 0
			}
			if used < c.perSec {
				used++
				return false
			}
			if c.count {
				used++
			}
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			busy++
			most = max(most, busy)
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			g.ServeHTTP(w, r)
			mu.Lock()
			busy--
			mu.Unlock()
		})
		onNetwork(t, counted, authn.AuthConfig{}, func(t *testing.T, cl *registry.Client) {
			started := time.Now()
			var wg sync.WaitGroup
			for range c.requests {
				wg.Go(func() {
					if _, err := cl.Manifest(t.Context(), app.Tag("v1")); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			allowed := time.Duration(c.requests/c.perSec) * time.Second
			if took := time.Since(started); took > allowed*13/10 {
				t.Errorf("%+v: it took %s, where %s are allowed; %d requests", c, took, allowed, sent)
			}
			if most > 64 {
				t.Errorf("%d requests at once", most)
			}
		})
	}
}

// If HEAD is not answered, GET is used.
func TestHeadThatDoesNotAnswer(t *testing.T) {
	for _, kind := range []string{"no digest", "405", "501"} {
		g, img := guarded(t, "")
		g.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodHead {
				return false
			}
			if status, err := strconv.Atoi(kind); err == nil {
				w.WriteHeader(status)
			}
			return true
		}
		want, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		onNetwork(t, g, authn.AuthConfig{}, func(t *testing.T, c *registry.Client) {
			if d, ok, err := c.Head(t.Context(), app.Tag("v1")); err != nil || !ok || d != want {
				t.Errorf("%s: %s, %v, %v", kind, d, ok, err)
			}
			if _, ok, err := c.Head(t.Context(), app.Tag("none")); err != nil || ok {
				t.Errorf("%s: a tag that is not there: %v, %v", kind, ok, err)
			}
		})
	}
}

// A registry that fails at a mount gets an upload.
func TestMountsThatFail(t *testing.T) {
	for _, status := range []int{400, 404, 405, 500, 501, 503} {
		g, img := guarded(t, "")
		m, err := img.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		g.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("mount") == "" {
				return false
			}
			w.WriteHeader(status)
			return true
		}
		onNetwork(t, g, authn.AuthConfig{}, func(t *testing.T, c *registry.Client) {
			started := time.Now()
			u, err := c.Begin(t.Context(), registry.Repository{Host: app.Host, Path: "other"}, m.Layers[0], app)
			if err != nil || u == nil || time.Since(started) > time.Second {
				t.Errorf("%d: %v, %v after %s", status, u, err, time.Since(started))
			}
		})
	}
}

// A list of referrers in pages is read to its end, and an endless one is not.
func TestPagesOfReferrers(t *testing.T) {
	page := func(n int, more bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			at, _ := strconv.Atoi(r.URL.Query().Get("page"))
			if more || at+1 < n {
				w.Header().Add("Link", `</v2/app/other>; rel="prev", </v2/app/referrers/x?page=`+strconv.Itoa(at+1)+`>; rel="next"`)
			}
			io.WriteString(w, `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"sha256:`+strings.Repeat("ab", 31)+strconv.Itoa(10+at%90)+`"}]}`)
		}
	}
	for _, c := range []struct {
		pages int
		more  bool
		want  int
	}{{1, false, 1}, {4, false, 4}, {0, true, -1}} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, "/referrers/") {
				w.WriteHeader(404)
				return
			}
			page(c.pages, c.more)(w, r)
		})
		onNetwork(t, h, authn.AuthConfig{}, func(t *testing.T, cl *registry.Client) {
			rs, err := cl.Referrers(t.Context(), app, someBlob.Digest)
			if c.want < 0 && err == nil || c.want >= 0 && (err != nil || len(rs) != c.want) {
				t.Errorf("%d pages: %d referrers, %v", c.pages, len(rs), err)
			}
		})
	}
}
