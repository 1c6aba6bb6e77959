package affinity

import (
	"testing"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// BenchmarkPlan is what a Pod costs beside reading and writing it.
func BenchmarkPlan(b *testing.B) {
	both, err := platform.ParseList("linux/amd64,linux/arm64")
	if err != nil {
		b.Fatal(err)
	}
	spec := pod.Spec{
		Required: true,
		Terms: []pod.Term{
			{Expressions: []pod.Requirement{pod.In("topology.kubernetes.io/zone", "eu-1a", "eu-1b")}},
			{Expressions: []pod.Requirement{pod.In(LabelOS, "linux"), pod.In("pool", "spot")}},
		},
	}
	images := []Image{{Platforms: both}, {Platforms: both}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Plan(spec, images, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
