package index_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/lookup"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

const (
	ociIndex  = "application/vnd.oci.image.index.v1+json"
	ociImage  = "application/vnd.oci.image.manifest.v1+json"
	ociConfig = "application/vnd.oci.image.config.v1+json"
)

// store puts bytes as a manifest under a name, or under their digest, and
// returns a descriptor of them, as JSON with more fields.
func store(t *testing.T, g *imagetest.Registry, name, mediaType, body, more string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	digest := "sha256:" + hex.EncodeToString(sum[:])
	if name == "" {
		name = digest
	}
	r, err := http.NewRequest(http.MethodPut, "/v2/app/manifests/"+name, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", mediaType)
	w := &discard{header: http.Header{}}
	if g.Answer(w, r); w.status != http.StatusCreated {
		t.Fatalf("storing %s: status %d", name, w.status)
	}
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d%s}`, mediaType, digest, len(body), more)
}

// storeBlob puts a blob.
func storeBlob(t *testing.T, g *imagetest.Registry, mediaType, body string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	digest := "sha256:" + hex.EncodeToString(sum[:])
	r, err := http.NewRequest(http.MethodPost, "/v2/app/blobs/uploads/?digest="+digest, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	w := &discard{header: http.Header{}}
	if g.Answer(w, r); w.status != http.StatusCreated {
		t.Fatalf("storing a blob: status %d", w.status)
	}
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, digest, len(body))
}

func manifestText(artifactType, config string) string {
	if artifactType != "" {
		artifactType = `"artifactType":"` + artifactType + `",`
	}
	return `{"schemaVersion":2,"mediaType":"` + ociImage + `",` + artifactType + `"config":` + config + `,"layers":[]}`
}

func indexText(more string, children ...string) string {
	return `{"schemaVersion":2,"mediaType":"` + ociIndex + `",` + more + `"manifests":[` + strings.Join(children, ",") + `]}`
}

// shapes are indexes as tools make them, each under a tag, with what both
// stitch-index and inject-affinity's look-up must say about it.
func shapes(t *testing.T) (*imagetest.Registry, map[string]string) {
	t.Helper()
	g := imagetest.NewRegistry()
	image := func(platform, more string) string {
		config := storeBlob(t, g, ociConfig, `{"os":"linux","architecture":"`+platform+`"}`)
		return store(t, g, "", ociImage, manifestText("", config), more)
	}
	says := func(platform string) string {
		return `,"platform":{"os":"linux","architecture":"` + platform + `"}`
	}
	empty := storeBlob(t, g, "application/vnd.oci.empty.v1+json", "{}")
	blank := storeBlob(t, g, ociConfig, "{}")
	helm := store(t, g, "", ociImage, manifestText("", storeBlob(t, g, "application/vnd.cncf.helm.config.v1+json", `{"name":"chart"}`)), "")
	sbom := store(t, g, "", ociImage, manifestText("application/spdx+json", empty), "")
	sbomSaid := store(t, g, "", ociImage, manifestText("application/spdx+json", empty), `,"artifactType":"application/spdx+json"`)
	signature := store(t, g, "", ociImage, manifestText("", blank), "")
	unknown := store(t, g, "", ociImage, manifestText("", blank), `,"platform":{"os":"unknown","architecture":"unknown"}`)
	attestation := store(t, g, "", ociImage, manifestText("", blank), `,"platform":{"os":"unknown","architecture":"unknown"},"annotations":{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"sha256:`+strings.Repeat("0", 64)+`"}`)
	amd64, arm64 := image("amd64", says("amd64")), image("arm64", says("arm64"))
	nested := store(t, g, "", ociIndex, indexText("", arm64, sbom), "")
	deep := store(t, g, "", ociIndex, indexText("", nested), "")
	none := "the index has no image to run"
	want := map[string]string{}
	for name, c := range map[string]struct{ body, want string }{
		"plain":              {indexText("", amd64, arm64), "linux/amd64,linux/arm64"},
		"unmarked":           {indexText("", image("amd64", ""), arm64), "linux/amd64,linux/arm64"},
		"blank":              {indexText("", image("amd64", `,"platform":{"os":"","architecture":""}`), arm64), "linux/amd64,linux/arm64"},
		"nested":             {indexText("", amd64, nested), "linux/amd64,linux/arm64"},
		"deep":               {indexText("", amd64, deep), "linux/amd64,linux/arm64"},
		"nested-twice":       {indexText("", amd64, nested, nested), "linux/amd64,linux/arm64"},
		"with-sbom":          {indexText("", amd64, sbom), "linux/amd64"},
		"with-sbom-said":     {indexText("", amd64, sbomSaid), "linux/amd64"},
		"with-helm":          {indexText("", amd64, helm), "linux/amd64"},
		"with-signature":     {indexText("", amd64, signature), "linux/amd64"},
		"with-unknown":       {indexText("", amd64, unknown), "linux/amd64"},
		"with-lone-evidence": {indexText("", amd64, attestation), "linux/amd64"},
		"with-config-type":   {indexText("", image("amd64", says("amd64")+`,"artifactType":"`+ociConfig+`"`)), "linux/amd64"},
		"without-type":       {indexText("", strings.Replace(amd64, `"mediaType":"`+ociImage+`",`, "", 1)), "linux/amd64"},
		"nothing":            {indexText(""), none},
		"only-artifacts":     {indexText("", sbom, helm, attestation), none},
	} {
		store(t, g, name, ociIndex, c.body, "")
		want[name] = c.want
	}
	return g, want
}

// stitch-index and inject-affinity agree on what an index has.
func TestOneReaderOfIndexes(t *testing.T) {
	g, shapes := shapes(t)
	for name, want := range shapes {
		client := hosts{sourceHost: g}.client()
		ref, err := registry.ParseReference(sourceHost + "/app:" + name)
		if err != nil {
			t.Fatal(err)
		}
		found, err := lookup.New(client, 2).Platforms(t.Context(), ref)
		got := found.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || err == nil && got != want {
			t.Errorf("%s: the look-up says %s, want %s", name, got, want)
		}
		for _, verify := range []verify.Mode{verify.Off, verify.Entrypoint} {
			r, err := index.Stitch(t.Context(), index.Job{
				Client: client, Sources: parse(t, ref.String()), Verify: verify,
				Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: []string{"stitched"},
			})
			if err != nil {
				got = err.Error()
			} else {
				got = r.Platforms().String()
			}
			if !strings.Contains(got, want) || err == nil && got != want {
				t.Errorf("%s: stitching says %s, want %s", name, got, want)
			}
			if strings.HasPrefix(name, "with-s") && err == nil && (len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "left out")) {
				t.Errorf("%s: notes %q", name, r.Notes)
			}
		}
	}
}

// --append keeps all of an index that it does not replace.
func TestAppendKeepsTheRest(t *testing.T) {
	g, shapes := shapes(t)
	push(t, g, "app:new", imagetest.App("linux/arm64", "arm64", "text"))
	for name, want := range shapes {
		if !strings.Contains(want, "amd64") {
			continue
		}
		store(t, g, "v1", ociIndex, strings.Replace(string(g.Manifest("app", name)), `"manifests"`, `"artifactType":"application/x.bundle","annotations":{"by":"hand","kept":"yes"},"manifests"`, 1), "")
		r, err := index.Stitch(t.Context(), index.Job{
			Client: hosts{sourceHost: g}.client(), Sources: parse(t, sourceHost+"/app:new"), Verify: verify.Entrypoint, Append: true,
			Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: []string{"v1"},
			Options: index.Options{Annotations: map[string]string{"by": "stitch-index"}},
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var doc struct {
			ArtifactType string
			Annotations  map[string]string
			Manifests    []struct {
				ArtifactType string
				Platform     *struct{ Architecture string }
			}
		}
		if err := json.Unmarshal(r.Index.Bytes, &doc); err != nil {
			t.Fatal(err)
		}
		others := 0
		for _, m := range doc.Manifests {
			if m.Platform == nil || m.Platform.Architecture == "unknown" {
				others++
			}
		}
		wanted := 0
		if strings.HasPrefix(name, "with-") && name != "with-config-type" || strings.HasPrefix(name, "nested") || name == "deep" {
			wanted = 1
		}
		if doc.ArtifactType != "application/x.bundle" || doc.Annotations["kept"] != "yes" || doc.Annotations["by"] != "stitch-index" ||
			r.Platforms().String() != "linux/amd64,linux/arm64" || others != wanted {
			t.Errorf("%s: %s has %d others, want %d:\n%s", name, r.Platforms(), others, wanted, r.Index.Bytes)
		}
	}
}

// A digest that an index lists often is read once.
func TestADigestIsReadOnce(t *testing.T) {
	g := imagetest.NewRegistry()
	config := storeBlob(t, g, ociConfig, `{"os":"linux","architecture":"amd64"}`)
	one := store(t, g, "", ociImage, manifestText("", config), "")
	store(t, g, "often", ociIndex, indexText("", strings.Split(strings.TrimSuffix(strings.Repeat(one+"\n", 50), "\n"), "\n")...), "")
	reads := map[string]int{}
	var mu sync.Mutex
	g.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		reads[r.URL.Path]++
		return false
	}
	synctest.Test(t, func(t *testing.T) {
		network := imagetest.NewNetwork()
		defer network.Close()
		network.Serve(sourceHost, 0, g)
		_, err := index.Stitch(t.Context(), index.Job{
			Client: client(network), Sources: parse(t, sourceHost+"/app:often"), Verify: verify.Entrypoint, DryRun: true,
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	for path, n := range reads {
		if n != 1 {
			t.Errorf("%s was read %d times", path, n)
		}
	}
	if len(reads) != 3 {
		t.Errorf("%d paths were read", len(reads))
	}
}
