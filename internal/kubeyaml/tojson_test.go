package kubeyaml

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func readOne(t *testing.T, s string) *Workload {
	t.Helper()
	d, err := (&Reader{Named: true}).Read(Chunk{Bytes: []byte(s), Line: 1})
	if err != nil || len(d.Workloads) != 1 {
		t.Fatalf("%v, %+v", err, d)
	}
	return d.Workloads[0]
}

func TestJSON(t *testing.T) {
	object := `kind: Pod
apiVersion: v1
metadata: {name: x}
spec:
  os: {name: "linux"}
  nodeSelector: ~
  containers:
  - &base {name: a, image: 'i', resources: {requests: {cpu: 2, memory: 1Gi}}}
  - <<: *base
    name: b
    command: [sh, -c, |
      two
      lines
    ]
  - *base
`
	want := map[string]any{
		"os": map[string]any{"name": "linux"}, "nodeSelector": nil,
		"containers": []any{
			map[string]any{"name": "a", "image": "i", "resources": map[string]any{"requests": map[string]any{"cpu": "2", "memory": "1Gi"}}},
			map[string]any{"name": "b", "image": "i", "resources": map[string]any{"requests": map[string]any{"cpu": "2", "memory": "1Gi"}}},
			map[string]any{"name": "a", "image": "i", "resources": map[string]any{"requests": map[string]any{"cpu": "2", "memory": "1Gi"}}},
		},
	}
	object = strings.Replace(object, "    command: [sh, -c, |\n      two\n      lines\n    ]\n", "", 1)
	for name, s := range map[string]string{
		"YAML": object,
		"JSON": `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"},"spec":{"os":{"name":"linux"},"nodeSelector":null,"containers":[
{"name":"a","image":"i","resources":{"requests":{"cpu":2,"memory":"1Gi"}}},{"name":"b","image":"i","resources":{"requests":{"cpu":2,"memory":"1Gi"}}},{"name":"a","image":"i","resources":{"requests":{"cpu":2,"memory":"1Gi"}}}]}}`,
	} {
		_, spec, err := readOne(t, s).JSON()
		var got any
		if err == nil {
			err = json.Unmarshal(spec, &got)
		}
		if d := cmp.Diff(any(want), got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
}

// Aliases of aliases repeat more than memory holds.
func TestJSONIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("kind: Pod\napiVersion: v1\nmetadata:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 9; i++ {
		prev := string(rune('0' + i - 1))
		b.WriteString("  a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.Repeat("*a"+prev+", ", 9) + "*a" + prev + "]\n")
	}
	b.WriteString("spec: {containers: [{name: a, image: i}]}\n")
	if _, _, err := readOne(t, b.String()).JSON(); err == nil || !strings.Contains(err.Error(), "counting those that aliases repeat") {
		t.Error(err)
	}
}
