package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPacksAreTheSameEachTime(t *testing.T) {
	files := []file{{"LICENSE", 0o644, []byte("free\n")}, {"tool", 0o755, bytes.Repeat([]byte{1, 2, 3}, 1000)}}
	for name, pack := range map[string]func([]file) ([]byte, error){"tar": packTar, "zip": packZip} {
		a, err := pack(files)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := pack(files); !bytes.Equal(a, b) {
			t.Errorf("%s: two packs differ", name)
		}
	}
	b, _ := packTar(files)
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		c, _ := io.ReadAll(r)
		got[h.Name] = string(c)
	}
	b, _ = packZip(files)
	zr, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	fromZip := map[string]string{}
	for _, f := range zr.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		c, _ := io.ReadAll(r)
		fromZip[f.Name] = string(c)
	}
	want := map[string]string{"LICENSE": "free\n", "tool": string(files[1].content)}
	if d := cmp.Diff(want, got); d != "" {
		t.Error("tar:", d)
	}
	if d := cmp.Diff(want, fromZip); d != "" {
		t.Error("zip:", d)
	}
}
