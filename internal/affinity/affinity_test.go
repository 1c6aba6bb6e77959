package affinity

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

func on(t *testing.T, list string) []Image {
	t.Helper()
	l, err := platform.ParseList(list)
	if err != nil {
		t.Fatal(err)
	}
	return []Image{{Container: pod.Container{Name: "app", Image: "r/app:1", Line: 9}, Platforms: l}}
}

func TestPlan(t *testing.T) {
	linux, amd64 := pod.In(LabelOS, "linux"), pod.In(LabelArch, "amd64")
	both := pod.In(LabelArch, "amd64", "arm64")
	type forms = [][]pod.Requirement
	for name, c := range map[string]struct {
		spec   pod.Spec
		images string
		want   Change
	}{
		"one platform":  {pod.Spec{}, "linux/amd64", Change{New: []pod.Term{{Expressions: []pod.Requirement{linux, amd64}}}}},
		"two platforms": {pod.Spec{}, "arm64,amd64", Change{New: []pod.Term{{Expressions: []pod.Requirement{linux, both}}}}},
		"variants are one label": {pod.Spec{}, "arm/v6,arm/v7", Change{New: []pod.Term{
			{Expressions: []pod.Requirement{linux, pod.In(LabelArch, "arm")}}}}},
		"a term for each OS": {pod.Spec{}, "windows/amd64,linux/arm64", Change{New: []pod.Term{
			{Expressions: []pod.Requirement{linux, pod.In(LabelArch, "arm64")}},
			{Expressions: []pod.Requirement{pod.In(LabelOS, "windows"), amd64}}}}},
		"pinned":               {pod.Spec{NodeName: "n1"}, "amd64", Change{}},
		"selector says it all": {pod.Spec{NodeSelector: []pod.Requirement{linux, amd64}}, "amd64,arm64", Change{}},
		"selector has the OS": {pod.Spec{NodeSelector: []pod.Requirement{linux}}, "amd64", Change{New: []pod.Term{
			{Expressions: []pod.Requirement{amd64}}}}},
		"beta labels": {pod.Spec{NodeSelector: []pod.Requirement{pod.In(betaOS, "linux"), pod.In(betaArch, "amd64")}}, "amd64", Change{}},
		"each term": {pod.Spec{Required: true, Terms: []pod.Term{
			{Expressions: []pod.Requirement{{Key: "zone", Operator: "Exists"}}},
			{},
			{Fields: []pod.Requirement{pod.In("metadata.name", "n1")}},
			{Expressions: []pod.Requirement{linux, pod.In(LabelArch, "s390x")}},
			{Expressions: []pod.Requirement{linux, amd64}},
		}}, "amd64", Change{Existing: []forms{{{linux, amd64}}, nil, {{linux, amd64}}, {{amd64}}, nil}}},
		"two OSes, repeated": {pod.Spec{Required: true, Terms: []pod.Term{
			{Expressions: []pod.Requirement{{Key: "zone", Operator: "Exists"}}},
		}}, "linux/amd64,windows/amd64", Change{Existing: []forms{{{linux, amd64}, {pod.In(LabelOS, "windows"), amd64}}}}},
	} {
		got, err := Plan(c.spec, on(t, c.images), Options{})
		if d := cmp.Diff(c.want, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
}

func TestNothingCanRun(t *testing.T) {
	amd64, arm64 := on(t, "amd64"), on(t, "arm64")
	rule := pod.In(LabelArch, "arm64")
	rule.Field, rule.Line = "spec.nodeSelector", 4
	for name, c := range map[string]struct {
		spec   pod.Spec
		images []Image
		line   int
		want   string
	}{
		"no platform in common": {pod.Spec{}, append(amd64, arm64...), 9, "container app runs r/app:1, which is built for linux/amd64; container app runs"},
		"selector":              {pod.Spec{NodeSelector: []pod.Requirement{rule}}, amd64, 4, "line 4: spec.nodeSelector: kubernetes.io/arch In [arm64] leaves no node"},
		"only term":             {pod.Spec{Required: true, Terms: []pod.Term{{Expressions: []pod.Requirement{rule}}}}, amd64, 4, "leaves no node"},
	} {
		_, err := Plan(c.spec, c.images, Options{})
		var e *exit.Error
		if !errors.As(err, &e) || e.Code != exit.Impossible || !strings.Contains(e.Error(), c.want) || e.Line != c.line {
			t.Errorf("%s: %v", name, err)
		}
	}
}
