package kubeyaml

import (
	"bytes"
	"fmt"
	"testing"
)

func benchmarkChunk() Chunk {
	var b bytes.Buffer
	b.WriteString("---\n# Source: web/templates/app.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels:\n    app.kubernetes.io/name: web\nspec:\n  replicas: 3\n  selector:\n    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers:\n        - name: web\n          image: \"registry.example/web:1\"\n          env:\n")
	for i := range 36 {
		fmt.Fprintf(&b, "            - name: VARIABLE_%d\n              value: \"some value that is not short, number %d\"\n", i, i)
	}
	b.WriteString("          resources:\n            requests: {cpu: 100m, memory: 128Mi}\n")
	return Chunk{Bytes: b.Bytes(), Line: 1}
}

// BenchmarkScan and BenchmarkYAML are what justifies scan:
//
//	go test ./internal/kubeyaml -run - -bench . -count 6 | benchstat -
func BenchmarkScan(b *testing.B) {
	c := benchmarkChunk()
	b.SetBytes(int64(len(c.Bytes)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := scan(c); !ok {
			b.Fatal()
		}
	}
}

func BenchmarkYAML(b *testing.B) {
	c := benchmarkChunk()
	b.SetBytes(int64(len(c.Bytes)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseYAML(c); err != nil {
			b.Fatal(err)
		}
	}
}
