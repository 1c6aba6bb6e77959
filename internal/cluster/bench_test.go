package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// BenchmarkFile measures reading and judging a node of a file that kubectl
// wrote.
func BenchmarkFile(b *testing.B) {
	const nodes = 1000
	var s strings.Builder
	s.WriteString(`{"kind":"List","items":[`)
	for i := range nodes {
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprintf(&s, `{"kind":"Node","metadata":{"name":"n%d","labels":{"kubernetes.io/os":"linux","kubernetes.io/arch":"arm64","topology.kubernetes.io/zone":"eu-1a"}},`+
			`"spec":{"taints":[{"key":"kubernetes.io/arch","value":"arm64","effect":"NoSchedule"}]},"status":{"conditions":[{"type":"Ready","status":"True"}],"images":[%s{}]}}`,
			i, strings.Repeat(`{"names":["registry.example/team/app@sha256:00"],"sizeBytes":1},`, 50))
	}
	s.WriteString("]}")
	text := s.String()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		survey, err := (&File{Path: "-", Stdin: strings.NewReader(text)}).Survey(context.Background(), Query{})
		if err != nil || len(survey.Offers) != 1 || survey.Offers[0].Nodes != nodes {
			b.Fatal(survey, err)
		}
	}
}
