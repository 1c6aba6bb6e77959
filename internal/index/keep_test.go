package index_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

// put has a registry answer with a body for what is at a path of app, until
// something is stored there. What an index lists need not be there.
func put(g *imagetest.Registry, path, mediaType, body string) {
	before, stored := g.Fault, false
	var mu sync.Mutex
	g.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path != "/v2/app/"+path || stored {
			return before != nil && before(w, r)
		}
		if r.Method == http.MethodPut {
			stored = true
			return false
		}
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Docker-Content-Digest", fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(body))))
		if r.Method == http.MethodGet {
			io.WriteString(w, body)
		}
		return true
	}
}

const indexType = "application/vnd.oci.image.index.v1+json"

// listing is an index of images that nobody reads. Each is a platform, and a
// version of it after a blank.
func listing(platforms ...string) string {
	var entries []string
	for n, p := range platforms {
		p, version, _ := strings.Cut(p, " ")
		parts := append(strings.Split(p, "/"), "")
		entries = append(entries, fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":2,"digest":"sha256:%064x","platform":{"os":%q,"architecture":%q,"variant":%q,"os.version":%q}}`,
			n, parts[0], parts[1], parts[2], version))
	}
	return `{"schemaVersion":2,"mediaType":"` + indexType + `","manifests":[` + strings.Join(entries, ",") + `]}`
}

// What the tags have now is read beside the sources: with one request for each
// tag, and no round trip.
func TestKeepPlatformsTakesNoRoundTrip(t *testing.T) {
	for _, c := range []struct {
		name     string
		declared bool
		exists   bool
		append   bool
		trips    int
	}{
		{"platforms from the configs", false, true, false, 3},
		{"platforms declared", true, true, false, 2},
		{"the tags do not exist", true, false, false, 2},
		{"appended to", true, true, true, 2},
	} {
		for _, n := range []int{1, 16} {
			for _, nt := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s/%d/%d", c.name, n, nt), func(t *testing.T) {
					g := filled(t, n)
					if c.exists {
						for _, tag := range tags(nt) {
							put(g, "manifests/"+tag, indexType, listing(platforms[:n]...))
						}
					}
					g.Reset()
					synctest.Test(t, func(t *testing.T) {
						network := imagetest.NewNetwork()
						defer network.Close()
						network.Serve(sourceHost, trip, g)
						started := time.Now()
						_, err := index.Stitch(t.Context(), index.Job{
							Client:  registry.New(registry.Options{Insecure: []string{sourceHost}, Transport: network.Transport()}),
							Sources: sources(sourceHost, n, c.declared), Verify: verify.Off,
							Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(nt), KeepPlatforms: true, Append: c.append,
						})
						if err != nil {
							t.Fatal(err)
						}
						trips, requests := c.trips, 2*n+nt
						if c.declared {
							requests = n + nt
						}
						if nt > 1 {
							trips += 2
							requests += 1 + 2*nt
						}
						expect(t, g, time.Since(started), trips, requests+nt)
					})
				})
			}
		}
	}
}

// A platform is lost where a client that pulled an image finds none any more.
func TestKeptPlatforms(t *testing.T) {
	for _, c := range []struct {
		now, next string // separated by commas; next are images
		lost      string
	}{
		{"linux/amd64,linux/arm64", "linux/amd64,linux/arm64,linux/s390x", ""},
		{"linux/amd64,linux/arm64", "linux/amd64", "linux/arm64"},
		{"linux/amd64", "linux/amd64/v3", "linux/amd64"}, // older processors
		{"linux/arm/v6,linux/arm/v7", "linux/arm/v6", "linux/arm/v7"},
		{"linux/arm/v6,linux/arm/v7", "linux/arm/v7", "linux/arm/v6"},
		{"linux/arm", "linux/arm/v7", ""},
		{"linux/arm/v7", "linux/arm", ""},
		{"linux/arm/v6", "linux/arm", "linux/arm/v6"},
		{"linux/arm64/v8", "linux/arm64", ""},
		{"windows/amd64 10.0.17763.1,windows/amd64 10.0.20348.1", "windows/amd64 10.0.20348.99", "windows/amd64 (10.0.17763)"},
		{"windows/amd64 10.0.20348.1", "windows/amd64", ""},
		{"windows/amd64 \u202e10.0.1", "windows/amd64", ""},
		{"plan9/amd64", "linux/amd64", "plan9/amd64"},
	} {
		t.Run(c.now+" "+c.next, func(t *testing.T) {
			g := imagetest.NewRegistry()
			put(g, "manifests/v1", indexType, listing(strings.Split(c.now, ",")...))
			server := httptest.NewServer(g)
			defer server.Close()
			host := strings.TrimPrefix(server.URL, "http://")
			var from []index.Source
			for n, p := range strings.Split(c.next, ",") {
				p, version, _ := strings.Cut(p, " ")
				ref := fmt.Sprintf("%s/app:%d", host, n)
				if _, err := (imagetest.Spec{Platform: p, OSVersion: version}).Push(ref); err != nil {
					t.Fatal(err)
				}
				from = append(from, index.Source{Ref: ref})
			}
			_, err := index.Stitch(t.Context(), index.Job{
				Client: registry.New(registry.Options{}), Sources: from, Verify: verify.Off, KeepPlatforms: true,
				Target: registry.Repository{Host: host, Path: "app"}, Tags: []string{"v1"},
			})
			switch {
			case c.lost == "" && err != nil:
				t.Error(err)
			case c.lost != "" && (exit.CodeOf(err) != exit.Impossible || !strings.Contains(err.Error(), "v1: it would lose "+c.lost+", which it has now")):
				t.Errorf("exit code %d: %v", exit.CodeOf(err), err)
			}
		})
	}
}

// What cannot be read might have been a platform.
func TestKeepPlatformsOfWhatCannotBeRead(t *testing.T) {
	g := filled(t, 1)
	server := httptest.NewServer(g)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	config := `{"name":"app"}`
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(config)))
	put(g, "blobs/"+digest, "application/octet-stream", config)
	for tag, body := range map[string]string{"chart": `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","size":14,"digest":"` + digest + `"},"layers":[]}`, "odd": "{}"} {
		put(g, "manifests/"+tag, "application/vnd.oci.image.manifest.v1+json", body)
		_, err := index.Stitch(t.Context(), index.Job{
			Client: registry.New(registry.Options{}), Sources: sources(host, 1, false), Verify: verify.Off, KeepPlatforms: true, DryRun: true,
			Target: registry.Repository{Host: host, Path: "app"}, Tags: []string{tag},
		})
		if tag == "chart" && err != nil || tag == "odd" && (err == nil || !strings.Contains(err.Error(), "reading "+host+"/app:odd")) {
			t.Errorf("%s: %v", tag, err)
		}
	}
}
