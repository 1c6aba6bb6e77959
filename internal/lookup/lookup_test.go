package lookup

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	fake "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/registry"
)

// server is a registry that counts the manifests and blobs it is asked for.
func server(t *testing.T) (host string, gets *atomic.Int32) {
	t.Helper()
	gets = &atomic.Int32{}
	h := fake.New(fake.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path != "/v2/" {
			gets.Add(1)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), gets
}

func build(t *testing.T, platform string) v1.Image {
	t.Helper()
	img, err := imagetest.Spec{Platform: platform, Layers: [][]imagetest.File{imagetest.Files(map[string]string{"app": platform})}}.Build()
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func push(t *testing.T, ref string, what remote.Taggable) {
	t.Helper()
	r, err := name.ParseReference(ref, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	switch w := what.(type) {
	case v1.Image:
		err = remote.Write(r, w)
	case v1.ImageIndex:
		err = remote.WriteIndex(r, w)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestPlatforms(t *testing.T) {
	host, gets := server(t)
	push(t, host+"/app:one", build(t, "linux/arm/v7"))
	push(t, host+"/app:many", mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: build(t, "linux/arm64"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}}},
		mutate.IndexAddendum{Add: build(t, "linux/amd64")}, // without a platform: its config says it
		mutate.IndexAddendum{Add: build(t, ""), Descriptor: v1.Descriptor{
			Platform:    &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"}}},
	))
	two := func(of v1.Image, compression string) mutate.IndexAddendum {
		return mutate.IndexAddendum{Add: of, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}, Annotations: map[string]string{"io.github.containers.compression." + compression: "true"}}}
	}
	other, err := imagetest.Spec{Platform: "linux/amd64", Layers: [][]imagetest.File{nil}, Compress: imagetest.Zstd, LayerType: types.OCILayerZStd}.Build()
	if err != nil {
		t.Fatal(err)
	}
	push(t, host+"/app:two", mutate.AppendManifests(empty.Index, two(build(t, "linux/amd64"), "gzip"), two(other, "zstd")))
	push(t, host+"/app:none", empty.Index)
	push(t, host+"/app:nameless", build(t, ""))
	for tag, c := range map[string]struct {
		want string
		gets int32
	}{
		"one":      {"linux/arm/v7", 2},
		"many":     {"linux/amd64,linux/arm64", 3},
		"two":      {"linux/amd64", 1}, // one platform, whose image there is in two compressions
		"none":     {"the index has no image to run", 1},
		"nameless": {"must both be set", 2},
		"missing":  {"404 Not Found", 1},
	} {
		b := New(registry.New(registry.Options{}), 2)
		ref, err := registry.ParseReference(host + "/app:" + tag)
		if err != nil {
			t.Fatal(err)
		}
		gets.Store(0)
		var wg sync.WaitGroup
		for range 8 { // one look-up, however often it is asked for
			wg.Go(func() { b.Platforms(context.Background(), ref) })
		}
		wg.Wait()
		got, err := b.Platforms(context.Background(), ref)
		if n := gets.Load(); n != c.gets {
			t.Errorf("%s: %d requests, want %d", tag, n, c.gets)
		}
		switch {
		case err != nil && (!strings.Contains(err.Error(), c.want) || exit.CodeOf(err) != exit.Failed):
			t.Errorf("%s: %v, want %s", tag, err, c.want)
		case err == nil && got.String() != c.want:
			t.Errorf("%s: %s, want %s", tag, got, c.want)
		}
	}
}
