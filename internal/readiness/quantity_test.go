package readiness

import (
	"math"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
)

var quantities = []string{"", "1", "500m", "0.5", "4Gi", "4G", "1e3", "1E3", "1e999", "1e-999", "12E", "3Ei", "100n", "250u", "-1", "x", "1.5Gi", "2Ki", " 1 ", "1k", "NaN", "Inf", "0x10", "9223372036854775807Ei", "1e", "+3", "1_000", "9223372036854775807"}

// FuzzQuantity holds what is read to what Kubernetes reads.
func FuzzQuantity(f *testing.F) {
	for _, s := range quantities {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := quantity(s)
		if math.IsNaN(got) || got < 0 || got > math.MaxInt64 {
			t.Fatalf("%q is %v", s, got)
		}
		want, err := resource.ParseQuantity(strings.TrimSpace(s))
		if err != nil || len(s) > 30 || want.Sign() < 0 {
			return
		}
		if w := want.AsApproximateFloat64(); math.Abs(got-min(w, math.MaxInt64)) > 1e-6+w*1e-6 {
			t.Errorf("%q is %v, and Kubernetes reads %v", s, got, w)
		}
	})
}
