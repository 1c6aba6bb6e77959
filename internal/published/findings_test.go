package published_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/published"
)

// send sends a request to a registry, and fails the test unless it succeeds.
func send(t *testing.T, g *imagetest.Registry, method, path, mediaType string, body []byte) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+host+"/v2/app/"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", mediaType)
	resp, err := g.RoundTrip(r)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %v %v", method, path, resp.Status, err)
	}
}

func remove(t *testing.T, g *imagetest.Registry, path string) {
	t.Helper()
	send(t, g, http.MethodDelete, path, "", nil)
}

// manifest reads a manifest of app.
func manifest(t *testing.T, g *imagetest.Registry, name string) *v1.Manifest {
	t.Helper()
	m, err := v1.ParseManifest(bytes.NewReader(g.Manifest("app", name)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// edit changes the index app:v1.
func edit(t *testing.T, g *imagetest.Registry, change func(*v1.IndexManifest)) {
	t.Helper()
	doc, err := v1.ParseIndexManifest(bytes.NewReader(g.Manifest("app", "v1")))
	if err != nil {
		t.Fatal(err)
	}
	change(doc)
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	send(t, g, http.MethodPut, "manifests/v1", string(doc.MediaType), b)
}

// shorten has a registry answer with the first bytes of a blob.
func shorten(g *imagetest.Registry, digest string) {
	g.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/blobs/"+digest) {
			return false
		}
		w.Header().Set("Content-Length", "5")
		if r.Method == http.MethodGet {
			w.Write([]byte("short"))
		}
		return true
	}
}

const indexType = "application/vnd.oci.image.index.v1+json"

// What is taken away, or wrong, is found, and nothing else is.
func TestFindings(t *testing.T) {
	cosign := func(d string) string { return strings.Replace(d, ":", "-", 1) + ".sig" }
	noAPI := func(g *imagetest.Registry) {
		g.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/referrers/") {
				w.WriteHeader(http.StatusNotFound)
				return true
			}
			return false
		}
	}
	for _, c := range []struct {
		name string
		// break breaks app:v1, an index for linux/amd64 and linux/arm64, whose
		// first image is amd64.
		breakIt func(t *testing.T, g *imagetest.Registry, amd64 string)
		want    []string // "KIND PLATFORM", then words of the message
	}{
		{"whole", func(*testing.T, *imagetest.Registry, string) {}, nil},
		{"an image", func(t *testing.T, g *imagetest.Registry, d string) { remove(t, g, "manifests/"+d) },
			[]string{"child linux/amd64 is not there: clean-ups of untagged images remove"}},
		{"a config", func(t *testing.T, g *imagetest.Registry, d string) {
			remove(t, g, "blobs/"+manifest(t, g, d).Config.Digest.String())
		}, []string{"config linux/amd64 its config sha256:"}},
		{"the top layer", func(t *testing.T, g *imagetest.Registry, d string) {
			remove(t, g, "blobs/"+manifest(t, g, d).Layers[1].Digest.String())
		}, []string{"layer linux/amd64 layer 2 of 2, sha256:"}},
		{"a layer that ends early", func(t *testing.T, g *imagetest.Registry, d string) {
			shorten(g, manifest(t, g, d).Layers[1].Digest.String())
		}, []string{"content linux/amd64 layer 2 of 2, sha256:"}},
		{"a lower layer that ends early", func(t *testing.T, g *imagetest.Registry, d string) {
			shorten(g, manifest(t, g, d).Layers[0].Digest.String())
		}, []string{"content linux/amd64 layer 1 of 2, sha256:", "content linux/arm64 layer 1 of 2, sha256:"}},
		{"a layer that all have", func(t *testing.T, g *imagetest.Registry, d string) {
			remove(t, g, "blobs/"+manifest(t, g, d).Layers[0].Digest.String())
		}, []string{"layer linux/amd64 layer 1 of 2, sha256:", "layer linux/arm64 layer 1 of 2, sha256:"}},
		{"an attestation", func(t *testing.T, g *imagetest.Registry, d string) {
			var attestation string
			edit(t, g, func(i *v1.IndexManifest) { attestation = i.Manifests[1].Digest.String() })
			remove(t, g, "manifests/"+attestation)
		}, []string{"attestation linux/amd64 its attestation sha256:"}},
		{"a part of an attestation", func(t *testing.T, g *imagetest.Registry, d string) {
			edit(t, g, func(i *v1.IndexManifest) {
				remove(t, g, "blobs/"+manifest(t, g, i.Manifests[1].Digest.String()).Layers[0].Digest.String())
			})
		}, []string{"attestation linux/amd64 a part of its attestation sha256:"}},
		{"an attestation of nothing", func(t *testing.T, g *imagetest.Registry, d string) {
			edit(t, g, func(i *v1.IndexManifest) { i.Manifests = i.Manifests[1:] })
		}, []string{"attestation  which the index does not have"}},
		{"another platform", func(t *testing.T, g *imagetest.Registry, d string) {
			edit(t, g, func(i *v1.IndexManifest) { i.Manifests[0].Platform.Architecture = "s390x" })
		}, []string{"platform linux/s390x says that it is for linux/amd64"}},
		{"another size", func(t *testing.T, g *imagetest.Registry, d string) {
			edit(t, g, func(i *v1.IndexManifest) { i.Manifests[0].Size++ })
		}, []string{"content linux/amd64 instead of"}},
		{"a program", func(t *testing.T, g *imagetest.Registry, d string) {
			serve(g, func(at string) {
				if _, err := imagetest.PushIndex(at+"/app:v1", imagetest.App("linux/arm64", "amd64", "text")); err != nil {
					t.Fatal(err)
				}
			})
		}, []string{"program linux/arm64 /app"}},
		{"a part of a signature", func(t *testing.T, g *imagetest.Registry, d string) {
			s := refer(t, g, d, cosign(d))
			remove(t, g, "blobs/"+manifest(t, g, s).Layers[0].Digest.String())
		}, []string{"signature linux/amd64 a part of sha256-"}},
		{"a part of a referrer", func(t *testing.T, g *imagetest.Registry, d string) {
			s := refer(t, g, d, "")
			remove(t, g, "blobs/"+manifest(t, g, s).Layers[0].Digest.String())
		}, []string{"referrer linux/amd64 a part of what refers to it, sha256:"}},
		{"a referrer in a list", func(t *testing.T, g *imagetest.Registry, d string) {
			noAPI(g)
			s := refer(t, g, d, "")
			m := g.Manifest("app", s)
			send(t, g, http.MethodPut, "manifests/"+strings.Replace(d, ":", "-", 1), indexType,
				fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d}]}`, indexType, s, len(m)))
			remove(t, g, "manifests/"+s)
		}, []string{"referrer linux/amd64 what refers to it, sha256:"}},
		{"a referrer of another one", func(t *testing.T, g *imagetest.Registry, d string) {
			noAPI(g)
			s := refer(t, g, g.Tag("app", "v1"), "")
			m := g.Manifest("app", s)
			send(t, g, http.MethodPut, "manifests/"+strings.Replace(d, ":", "-", 1), indexType,
				fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d}]}`, indexType, s, len(m)))
		}, []string{"referrer linux/amd64 and refers to sha256:"}},
		{"the tag", func(t *testing.T, g *imagetest.Registry, d string) { remove(t, g, "manifests/v1") },
			[]string{"reference  it is not there"}},
		{"no manifest", func(t *testing.T, g *imagetest.Registry, d string) {
			send(t, g, http.MethodPut, "manifests/v1", "application/vnd.docker.distribution.manifest.v1+json", []byte(`{"schemaVersion":1}`))
		}, []string{"content  neither an image nor an index"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := filled(t, 2)
			c.breakIt(t, g, children(t, g)[0])
			r, err := check(t, g, host+"/app:v1")
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Findings) != len(c.want) || r.Whole() != (c.want == nil) || len(r.Images) != 1 || r.Images[0].Whole != r.Whole() {
				t.Fatalf("%d findings, want %d: %s", len(r.Findings), len(c.want), lines(r))
			}
			for n, want := range c.want {
				f := r.Findings[n]
				kind, rest, _ := strings.Cut(want, " ")
				p, words, _ := strings.Cut(rest, " ")
				if string(f.Kind) != kind || f.Platform != p || !strings.Contains(f.Message, words) || f.References[0] != host+"/app:v1" {
					t.Errorf("finding %+v, want %s", f, want)
				}
			}
		})
	}
}

func lines(r *published.Report) string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, fmt.Sprintf("%s: %s", f.Kind, f))
	}
	return strings.Join(all, "\n")
}

// A registry that refuses, or cannot be reached, is no finding.
func TestWhatCannotBeFoundOut(t *testing.T) {
	g := filled(t, 2)
	(&imagetest.Fault{Kind: "403", First: 1, Only: func(r *http.Request) bool { return r.Method == http.MethodHead }}).On(g)
	_, err := check(t, g, host+"/app:v1")
	if exit.CodeOf(err) != exit.Denied {
		t.Errorf("%v", err)
	}
}

// Whatever goes wrong with any one request, nothing is found that is not so: it
// is tried again, or is an error.
func TestFaultsAreNoFindings(t *testing.T) {
	sign := func(t *testing.T) *imagetest.Registry {
		g := filled(t, 1)
		d := children(t, g)[0]
		refer(t, g, d, "")
		refer(t, g, d, strings.Replace(d, ":", "-", 1)+".sig")
		g.Auth = "bearer"
		return g
	}
	for _, kind := range append(slices.Clone(imagetest.Transient), "403") {
		for n := 1; ; n++ {
			g := sign(t)
			f := &imagetest.Fault{Kind: kind, First: n, Count: 1}
			if kind == "403" { // for good
				f.Count = 0
			}
			f.On(g)
			r, err := check(t, g, host+"/app:v1")
			switch {
			case kind == "403" && err != nil && exit.CodeOf(err) != exit.Denied:
				t.Errorf("%s from request %d on: exit code %d", kind, n, exit.CodeOf(err))
			case kind != "403" && err != nil:
				t.Errorf("%s of request %d: %v", kind, n, err)
			case err == nil && !r.Whole():
				t.Errorf("%s of request %d: %s", kind, n, lines(r))
			}
			if f.Hits() == 0 {
				if n < 10 {
					t.Errorf("%s: only %d requests were made to fail", kind, n-1)
				}
				break
			}
		}
	}
}

// An index decides neither how much is read nor how much is kept.
func TestHugeIndex(t *testing.T) {
	g := filled(t, 1)
	edit(t, g, func(i *v1.IndexManifest) {
		for len(i.Manifests) <= 1000 {
			i.Manifests = append(i.Manifests, i.Manifests[0])
		}
	})
	r, err := check(t, g, host+"/app:v1")
	if err != nil || len(r.Findings) != 1 || r.Findings[0].Kind != published.Content || !strings.Contains(r.Findings[0].Message, "more than 1000") {
		t.Errorf("%v %s", err, lines(r))
	}
}

// Each digest of a repository is read once, however many tags and indexes have
// it; evidence about what is not there any more is found.
func TestWholeRepository(t *testing.T) {
	g := filled(t, 4)
	all := children(t, g)
	index := g.Manifest("app", "v1")
	for _, tag := range []string{"latest", "v1.2"} {
		send(t, g, http.MethodPut, "manifests/"+tag, indexType, index)
	}
	for n, d := range all { // as --child-tags does
		send(t, g, http.MethodPut, fmt.Sprintf("manifests/v1_%d", n), "application/vnd.oci.image.manifest.v1+json", g.Manifest("app", d))
	}
	refer(t, g, g.Tag("app", "v1"), strings.Replace(g.Tag("app", "v1"), ":", "-", 1)+".sig")
	r, err := check(t, g, host+"/app:*")
	if err != nil || !r.Whole() || len(r.Images) != 5 || len(r.Images[0].Tags) != 3 {
		t.Fatalf("%v %+v %s", err, r, lines(r))
	}
	read := map[string]int{}
	for _, q := range g.Requests() {
		if q.Method == http.MethodGet {
			read[q.Path]++
		}
	}
	for path, n := range read {
		if n > 1 {
			t.Errorf("%s was read %d times", path, n)
		}
	}
	lost := "sha256:" + strings.Repeat("ab", 32)
	refer(t, g, lost, strings.Replace(lost, ":", "-", 1)+".sig")
	remove(t, g, "manifests/"+all[3])
	r, err = check(t, g, host+"/app:*")
	if err != nil || len(r.Findings) != 3 { // its own tag leads nowhere now

		t.Fatalf("%v: %s", err, lines(r))
	}
	if f := r.Findings[0]; f.Kind != published.Child || strings.Join(f.References, " ") != host+"/app:latest "+host+"/app:v1 "+host+"/app:v1.2" {
		t.Errorf("%+v", f)
	}
	if f := r.Findings[2]; f.Kind != published.Signature || f.Digest != lost {
		t.Errorf("%+v", f)
	}
}
