package output

import (
	"io"
	"strings"
	"testing"
)

// BenchmarkFilter is what a build's output costs on its way to GitHub's log.
func BenchmarkFilter(b *testing.B) {
	lines := []byte(strings.Repeat("stitch-index: linux/arm64 | #12 [build 4/7] RUN go build ./cmd/app\n", 100))
	f := NewFilter(io.Discard, githubConsole{})
	b.SetBytes(int64(len(lines)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Write(lines); err != nil {
			b.Fatal(err)
		}
	}
}
