package main

import (
	"archive/tar"
	"bytes"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// The bundle is read as Tekton's resolver reads it: the layer whose
// annotations name kind and name, its first file. What comes out is, byte for
// byte, what stands in the repository.
func TestBundle(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/polyarch/catalog:v1"
	t.Chdir("../..")
	archive := filepath.Join(t.TempDir(), "bundle.tar")
	if err := run(t.Context(), archive, ref); err != nil {
		t.Fatal(err)
	}
	got := map[string][]byte{}
	for _, l := range pull(t, ref) {
		got[l.apiVersion+" "+l.kind+"/"+l.name] = l.text
	}
	for key, file := range map[string]string{
		"v1 task/detect-arch":          "tasks/detect-arch/detect-arch.yaml",
		"v1 task/build-image":          "tasks/build-image/build-image.yaml",
		"v1 task/stitch-index":         "tasks/stitch-index/stitch-index.yaml",
		"v1 task/inject-affinity":      "tasks/inject-affinity/inject-affinity.yaml",
		"v1 task/deploy":               "tasks/deploy/deploy.yaml",
		"v1 pipeline/build-multi-arch": "catalog/pipeline/build-multi-arch/build-multi-arch.yaml",
		"v1 pipeline/build-native":     "catalog/pipeline/build-native/build-native.yaml",
	} {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got[key], want) {
			t.Errorf("%s in the bundle differs from %s", key, file)
		}
	}
	if info, err := os.Stat(archive); err != nil || info.Size() < 10_000 {
		t.Errorf("archive: %v, %v", info, err)
	}
}

func pull(t *testing.T, ref string) []object {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(r)
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var objects []object
	for _, l := range m.Layers {
		layer, err := img.LayerByDigest(l.Digest)
		if err != nil {
			t.Fatal(err)
		}
		content, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		files := tar.NewReader(content)
		if _, err := files.Next(); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		a := l.Annotations
		objects = append(objects, object{a["dev.tekton.image.apiVersion"], a["dev.tekton.image.kind"], a["dev.tekton.image.name"], text})
	}
	return objects
}
