package program

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// A layer of a thousand programs is read, and an entrypoint found in it.
func BenchmarkCheck(b *testing.B) {
	var files []file
	for n := range 1000 {
		files = append(files, bin(fmt.Sprintf("usr/bin/x%d", n), arm64))
	}
	layer := imagetest.Tar(files)
	p, err := platform.Parse("linux/arm64")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(layer)))
	b.ReportAllocs()
	for b.Loop() {
		l, err := (&rootfs.Reader{Budget: &rootfs.Budget{}}).Read(bytes.NewReader(layer))
		if err != nil {
			b.Fatal(err)
		}
		v := rootfs.NewView(1, false)
		v.Push(l)
		if r, final := Check(v, entry("x999"), p); !final || r.Verdict != Starts {
			b.Fatal(r, final)
		}
	}
}
