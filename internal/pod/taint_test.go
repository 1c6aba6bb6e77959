package pod

import (
	"strings"
	"testing"
)

func TestParseToleration(t *testing.T) {
	for in, want := range map[string]Toleration{
		"dedicated=builds:NoSchedule":        {Key: "dedicated", Operator: "Equal", Value: "builds", Effect: "NoSchedule"},
		"dedicated=:NoSchedule":              {Key: "dedicated", Operator: "Equal", Effect: "NoSchedule"},
		"dedicated:NoExecute":                {Key: "dedicated", Effect: "NoExecute", Operator: "Exists"},
		"example.com/gpu":                    {Key: "example.com/gpu", Operator: "Exists"},
		"dedicated=builds":                   {Key: "dedicated", Operator: "Equal", Value: "builds"},
		"*":                                  {Operator: "Exists"},
		"node.kubernetes.io/x:NoSchedule":    {Key: "node.kubernetes.io/x", Effect: "NoSchedule", Operator: "Exists"},
		"a=b:PreferNoSchedule":               {Key: "a", Operator: "Equal", Value: "b", Effect: "PreferNoSchedule"},
		"kubernetes.io/arch=arm64:NoExecute": {Key: "kubernetes.io/arch", Operator: "Equal", Value: "arm64", Effect: "NoExecute"},
	} {
		got, err := ParseToleration(in)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"": "is not KEY", "=x": "is not KEY", "a:": "is not KEY", ":NoSchedule": "is not KEY", "a b": "is not KEY", "a=b=c": "is not KEY",
		"a:Never": `unknown effect "Never"; use NoSchedule`, "a:NoSchedule:x": "unknown effect",
	} {
		if _, err := ParseToleration(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// A toleration that is accepted tolerates the taint that it names.
func FuzzParseToleration(f *testing.F) {
	for _, s := range []string{"a=b:NoSchedule", "a:NoExecute", "a", "a=b", "*", "a=:NoSchedule"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := ParseToleration(s)
		if err != nil {
			return
		}
		taint := Taint{Key: o.Key, Value: o.Value, Effect: o.Effect}
		if taint.Effect == "" {
			taint.Effect = "NoSchedule"
		}
		if !o.Tolerates(taint) {
			t.Fatalf("%q does not tolerate %s", s, taint)
		}
		if o.Key != "" && o.Tolerates(Taint{Key: o.Key + "x", Value: o.Value, Effect: taint.Effect}) {
			t.Fatalf("%q tolerates another key", s)
		}
	})
}
