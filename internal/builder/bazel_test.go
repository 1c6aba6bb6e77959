package builder

import (
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// An image that Bazel built, as a tar or as a layout, is put aside whole.
func TestAnImageOfBazelIsPutAside(t *testing.T) {
	image, err := random.Image(100, 2)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tar, folder := filepath.Join(dir, "image.tar"), filepath.Join(dir, "image")
	if err := tarball.WriteToFile(tar, name.MustParseReference("bazel/app:image"), image); err != nil {
		t.Fatal(err)
	}
	to, err := layout.Write(folder, empty.Index)
	if err == nil {
		err = to.AppendImage(image)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, built := range []string{tar, folder} {
		aside := filepath.Join(t.TempDir(), "layout")
		p, err := putAside(built, aside)
		if err != nil || p != (Pushed{Layout: aside}) {
			t.Fatalf("%s: %+v, %v", built, p, err)
		}
		index, err := layout.ImageIndexFromPath(aside)
		if err != nil {
			t.Fatal(err)
		}
		m, err := index.IndexManifest()
		if err != nil || len(m.Manifests) != 1 {
			t.Fatalf("%s: %+v, %v", built, m, err)
		}
		got, err := index.Image(m.Manifests[0].Digest)
		if err != nil {
			t.Fatal(err)
		}
		if config(t, got) != config(t, image) {
			t.Errorf("%s: another image", built)
		}
	}
	if _, err := putAside(filepath.Join(dir, "none"), filepath.Join(dir, "x")); err == nil {
		t.Error("an image that is not there is put aside")
	}
	if _, err := putAside(filepath.Join(folder, "index.json"), filepath.Join(dir, "y")); err == nil {
		t.Error("a file that is no image is put aside")
	}
}

func config(t *testing.T, i v1.Image) v1.Hash {
	t.Helper()
	h, err := i.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWhereBazelWrites(t *testing.T) {
	for label, want := range map[string]string{
		"//app:image.tar": "app/image.tar", "//:image": "image", ":image": "image", "//a/b": "a/b/b", "//a/b:c/d.tar": "a/b/c/d.tar",
	} {
		if got, err := outputOf(label); err != nil || got != want {
			t.Errorf("%s: %s, %v", label, got, err)
		}
	}
}
