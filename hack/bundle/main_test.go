package main

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	ours "github.com/polyarch/polyarch/internal/registry"
)

// The bundle is read as Tekton's resolver reads it: the layer whose annotations
// name kind and name, its first file. The result is, byte for byte, what is in
// the repository.
func TestBundle(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/polyarch/catalog:v1"
	t.Chdir("../..")
	archive := filepath.Join(t.TempDir(), "bundle.tar")
	if err := run(t.Context(), archive, ref, "", authn.DefaultKeychain); err != nil {
		t.Fatal(err)
	}
	got := map[string][]byte{}
	for _, l := range pull(t, ref) {
		got[l.apiVersion+" "+l.kind+"/"+l.name] = l.text
	}
	want := []string{
		"v1 pipeline/build-multi-arch", "v1 pipeline/build-multi-arch-git", "v1 pipeline/build-native",
		"v1 task/build-image", "v1 task/deploy", "v1 task/detect-arch", "v1 task/git-source", "v1 task/inject-affinity", "v1 task/stitch-index", "v1 task/stitch-index-gated",
		"v1beta1 stepaction/build-image", "v1beta1 stepaction/build-image-setup", "v1beta1 stepaction/deploy", "v1beta1 stepaction/detect-arch", "v1beta1 stepaction/git-source", "v1beta1 stepaction/inject-affinity",
		"v1beta1 stepaction/stitch-index", "v1beta1 stepaction/stitch-index-gated", "v1beta1 stepaction/stitch-index-gated-setup",
	}
	if d := cmp.Diff(want, slices.Sorted(maps.Keys(got))); d != "" {
		t.Error("objects:", d)
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

// Other documents in a file are left out, and each object keeps its own bytes.
func TestEveryDocument(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.yaml")
	one := "# first\napiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: one}\nspec:\n  description: |\n    ---\n    no marker\n"
	two := "---\n# second\napiVersion: tekton.dev/v1beta1\nkind: StepAction\nmetadata:\n  name: two\n"
	if err := os.WriteFile(path, []byte(one+"---\nkind: ServiceAccount\n---\n# nothing\n"+two), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []object{{"v1", "task", "one", []byte(one)}, {"v1beta1", "stepaction", "two", []byte(two)}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(object{})); d != "" {
		t.Error(d)
	}
	if err := os.WriteFile(path, []byte(one+"---\nkind: [\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := read(path); err == nil || !strings.Contains(err.Error(), "at line 9") {
		t.Errorf("a document that is no YAML: %v", err)
	}
}

// A release job has no docker login: its registry's password is in the
// environment, as GITHUB_TOKEN is for ghcr.io.
func TestPushWithTheJobsOwnCredentials(t *testing.T) {
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ci" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Chdir("../..")
	env, digest := map[string]string{}, filepath.Join(t.TempDir(), "digest")
	push := func() error {
		return run(t.Context(), "", host+"/polyarch/catalog:v1", digest, ours.Keychain(func(k string) string { return env[k] }))
	}
	if err := push(); err == nil || !strings.Contains(err.Error(), "pushing "+host) {
		t.Errorf("without a password: %v", err)
	}
	env = map[string]string{"CI_REGISTRY": host, "CI_REGISTRY_USER": "ci", "CI_REGISTRY_PASSWORD": "secret"}
	if err := push(); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(digest); err != nil || !strings.HasPrefix(string(b), "sha256:") {
		t.Errorf("the digest: %q, %v", b, err)
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
