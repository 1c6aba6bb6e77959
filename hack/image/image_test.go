package image

import (
	"encoding/json"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/polyarch/polyarch/internal/platform"
)

func TestWrite(t *testing.T) {
	i := Image{
		Platform: platform.Platform{OS: "linux", Arch: "arm", Variant: "v7"},
		Files:    []File{{Path: "etc/ssl/x", Mode: 0o644, Content: []byte("x")}, {Path: "tool", Mode: 0o755, Content: []byte("t")}},
		Config:   v1.Config{Entrypoint: []string{"/tool"}},
	}
	plain, again := write(t, i), write(t, i)
	if plain.Manifests[0].Digest != again.Manifests[0].Digest {
		t.Error("the same files give two digests")
	}
	if p := plain.Manifests[0].Platform; p.String() != "linux/arm/v7" {
		t.Errorf("platform %s", p)
	}
	var subject v1.Hash
	i.SBOM = func(h v1.Hash) ([]byte, error) {
		subject = h
		return json.Marshal(map[string]string{"subject": h.String()})
	}
	dir := t.TempDir()
	if err := i.Write(dir); err != nil {
		t.Fatal(err)
	}
	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := outer.IndexManifest()
	index, err := outer.ImageIndex(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	m, _ = index.IndexManifest()
	img, err := index.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil { // not of the index: an in-toto layer is not a tar file
		t.Fatal(err)
	}
	want := map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": m.Manifests[0].Digest.String()}
	if d := cmp.Diff(want, m.Manifests[1].Annotations); d != "" || subject != m.Manifests[0].Digest || subject != plain.Manifests[0].Digest {
		t.Errorf("%s subject %s, image %s", d, subject, m.Manifests[0].Digest)
	}
	a, err := index.Image(m.Manifests[1].Digest)
	if err != nil {
		t.Fatal(err)
	}
	layers, _ := a.Layers()
	r, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(r); string(b) != `{"subject":"`+subject.String()+`"}` {
		t.Errorf("statement %s", b)
	}
}

func write(t *testing.T, i Image) *v1.IndexManifest {
	t.Helper()
	dir := t.TempDir()
	if err := i.Write(dir); err != nil {
		t.Fatal(err)
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	return m
}
