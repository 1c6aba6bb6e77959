package text

import "testing"

// BenchmarkClean is what every line of a build costs before it is shown.
func BenchmarkClean(b *testing.B) {
	const line = "#12 [linux/arm64 build 4/7] RUN go build -trimpath -o /out/app ./cmd/app  DONE 41.3s"
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		Clean(line)
	}
}

// What is clean already, as nearly all is, is not copied.
func TestCleanTextIsNotCopied(t *testing.T) {
	const line = "an ordinary line: linux/arm64 …"
	if n := testing.AllocsPerRun(100, func() { Clean(line) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
