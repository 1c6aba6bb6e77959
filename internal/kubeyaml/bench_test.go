package kubeyaml

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/polyarch/polyarch/internal/pod"
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

// BenchmarkEdit is what a document costs that is edited, BenchmarkRead one that
// is not: the difference is the edit, and reading it again to compare.
func BenchmarkEdit(b *testing.B) { benchmarkDocument(b, true) }

func BenchmarkRead(b *testing.B) { benchmarkDocument(b, false) }

func benchmarkDocument(b *testing.B, edit bool) {
	c := benchmarkChunk()
	b.SetBytes(int64(len(c.Bytes)))
	b.ReportAllocs()
	terms := []pod.Term{{Expressions: []pod.Requirement{pod.In("kubernetes.io/os", "linux"), pod.In("kubernetes.io/arch", "amd64", "arm64")}}}
	for b.Loop() {
		d, err := (&Reader{}).Read(c)
		if err != nil || len(d.Workloads) != 1 {
			b.Fatal(err)
		}
		if !edit {
			continue
		}
		if err := d.Workloads[0].Affinity(terms, nil, nil); err != nil {
			b.Fatal(err)
		}
		if edits, err := d.Edits(); err != nil || len(edits) != 1 {
			b.Fatal(err, edits)
		}
	}
}
