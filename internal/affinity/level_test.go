package affinity

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/pod"
)

func TestLevels(t *testing.T) {
	linux, amd64, arm64 := pod.In(LabelOS, "linux"), pod.In(LabelArch, "amd64"), pod.In(LabelArch, "arm64")
	v3 := pod.In("feature.node.kubernetes.io/cpu-cpuid.X86_64_V3", "true")
	v4 := pod.In("feature.node.kubernetes.io/cpu-cpuid.X86_64_V4", "true")
	term := func(rs ...pod.Requirement) pod.Term { return pod.Term{Expressions: rs} }
	type forms = [][]pod.Requirement
	for name, c := range map[string]struct {
		spec   pod.Spec
		images []string
		want   Change
	}{
		"a level":                  {pod.Spec{}, []string{"amd64/v3"}, Change{New: []pod.Term{term(linux, amd64, v3)}}},
		"beside an architecture":   {pod.Spec{}, []string{"amd64/v3,arm64"}, Change{New: []pod.Term{term(linux, amd64, v3), term(linux, arm64)}}},
		"between architectures":    {pod.Spec{}, []string{"386,amd64/v3,arm64"}, Change{New: []pod.Term{term(linux, pod.In(LabelArch, "386", "arm64")), term(linux, amd64, v3)}}},
		"an image for any as well": {pod.Spec{}, []string{"amd64,amd64/v3"}, Change{New: []pod.Term{term(linux, amd64)}}},
		"the highest of two":       {pod.Spec{}, []string{"amd64/v3", "amd64/v4,amd64/v2", "amd64"}, Change{New: []pod.Term{term(linux, amd64, v3)}}},
		"not of Windows":           {pod.Spec{}, []string{"windows/amd64/v3"}, Change{New: []pod.Term{term(pod.In(LabelOS, "windows"), amd64)}}},
		"the first level is any":   {pod.Spec{}, []string{"amd64/v1"}, Change{New: []pod.Term{term(linux, amd64)}}},
		"a selector says it":       {pod.Spec{NodeSelector: []pod.Requirement{linux, amd64, v4}}, []string{"amd64/v3"}, Change{}},
		"a selector says less":     {pod.Spec{NodeSelector: []pod.Requirement{linux, amd64}}, []string{"amd64/v3"}, Change{New: []pod.Term{term(v3)}}},
		"terms that have the rest": {pod.Spec{Required: true, Terms: []pod.Term{
			term(linux, amd64), term(linux, amd64, v3), term(linux, arm64), term(linux, pod.In(LabelArch, "amd64", "arm64")),
		}}, []string{"amd64/v3,arm64"}, Change{Existing: []forms{{{v3}}, nil, nil, {{amd64, v3}, {arm64}}}}},
	} {
		var images []Image
		for _, list := range c.images {
			images = append(images, on(t, list)...)
		}
		got, err := Plan(c.spec, images, Options{Levels: true})
		if d := cmp.Diff(c.want, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
}
