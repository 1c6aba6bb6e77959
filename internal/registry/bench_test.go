package registry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/registry"
)

// A layer on its way from a registry, checked against its digest.
func BenchmarkStream(b *testing.B) {
	layer := strings.Repeat("0123456789abcdef", 1<<20) // 16 MiB
	digest, size, err := v1.SHA256(strings.NewReader(layer))
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, layer) }))
	b.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	client := registry.New(registry.Options{Insecure: []string{host}})
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		r, err := client.Open(b.Context(), registry.Repository{Host: host, Path: "app"}, v1.Descriptor{Digest: digest, Size: size})
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != size {
			b.Fatal(n, err)
		}
		r.Close()
	}
}
