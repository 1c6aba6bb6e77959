package index

import (
	"fmt"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/platform"
)

// BenchmarkCompute measures computing the index: sixteen platforms, each with
// its attestation.
func BenchmarkCompute(b *testing.B) {
	var children []*child
	for i := range 16 {
		p := platform.Platform{OS: "linux", Arch: fmt.Sprintf("arch%d", i)}
		of := func(kind byte) v1.Descriptor {
			return v1.Descriptor{
				MediaType: types.OCIManifestSchema1, Size: 1000,
				Digest:   v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%c%063d", kind, i)},
				Platform: &v1.Platform{OS: p.OS, Architecture: p.Arch},
			}
		}
		c := &child{}
		c.Platform, c.Descriptor = p, of('a')
		c.Attestations = append(c.Attestations, Attestation{Descriptor: of('b')})
		children = append(children, c)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := compute(children, &older{}, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
