package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	fake "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/imagetest"
)

func inject(t *testing.T, in string, argv ...string) (out, errs string, code exit.Code) {
	t.Helper()
	var o, e bytes.Buffer
	code = program().Exec(context.Background(), &command.Env{
		Stdin: strings.NewReader(in), Stdout: &o, Stderr: &e,
		Getenv: func(string) string { return "" },
	}, argv)
	return o.String(), e.String(), code
}

// countingRegistry returns the host of a registry, and how many manifests it was
// asked for.
func countingRegistry(t *testing.T) (host string, manifests *atomic.Int32) {
	manifests = &atomic.Int32{}
	h := fake.New(fake.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/") {
			manifests.Add(1)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), manifests
}

// A registry is asked once for each reference, whatever the number of
// documents, and never for what the artifacts say.
func TestEachImageIsLookedUpOnce(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	host, manifests := countingRegistry(t)
	for _, name := range []string{"a", "b"} {
		if _, err := (imagetest.Spec{Platform: "linux/arm64"}).Push(host + "/" + name + ":1"); err != nil {
			t.Fatal(err)
		}
	}
	manifests.Store(0)
	var in strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&in, "---\nkind: Pod\napiVersion: v1\nspec:\n  containers:\n  - image: %s/%c:1\n  - image: built\n", host, 'a'+i%2)
	}
	out, errs, code := inject(t, in.String(), "--image", "built=r/built:1;linux/arm64,linux/amd64", "--quiet")
	if code != 0 || strings.Count(out, "- arm64\n") != 1000 || strings.Contains(out, "- amd64\n") {
		t.Errorf("code %d, %d affinities\n%s", code, strings.Count(out, "- arm64\n"), errs)
	}
	if n := manifests.Load(); n != 2 {
		t.Errorf("%d manifests were asked for, want 2", n)
	}

	// An artifacts file without platforms, as Skaffold writes it: the built image's registry is asked.
	out, errs, code = inject(t, "kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - image: app\n", "--image", "app="+host+"/a:1")
	if code != 0 || !strings.Contains(out, "- arm64\n") || !strings.Contains(out, "image: "+host+"/a:1\n") {
		t.Errorf("without platforms: code %d\n%s%s", code, out, errs)
	}

	manifests.Store(0)
	if _, errs, code = inject(t, in.String(), "--image", "built=r/built:1;linux/arm64", "--offline"); code != 1 || manifests.Load() != 0 {
		t.Errorf("--offline: code %d, %d requests\n%s", code, manifests.Load(), errs)
	}
	if out, errs, code = inject(t, "kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - image: "+host+"/none:1\n"); code != 1 || out != "" ||
		!strings.Contains(errs, "standard input: Pod: line 5: the platforms of image "+host+"/none:1 are not known: reading ") {
		t.Errorf("missing: code %d\n%s%s", code, out, errs)
	}
}

// A digest of one platform's image, where its tag names an index, pins a
// workload to fewer nodes than were meant: a warning names the index.
func TestDigestOfOnePlatform(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	host, manifests := countingRegistry(t)
	digests := map[string]string{}
	var add []mutate.IndexAddendum
	for _, p := range []string{"linux/amd64", "linux/arm64", "linux/s390x"} {
		img, err := imagetest.Spec{Platform: p}.Build()
		if err != nil {
			t.Fatal(err)
		}
		d, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if digests[p] = d.String(); p != "linux/s390x" {
			add = append(add, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: strings.TrimPrefix(p, "linux/")}}})
			continue
		}
		ref, _ := name.ParseReference(host+"/app:single", name.Insecure)
		if err := remote.Write(ref, img); err != nil {
			t.Fatal(err)
		}
	}
	index := mutate.AppendManifests(empty.Index, add...)
	ref, _ := name.ParseReference(host+"/app:v1", name.Insecure)
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	top, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]struct {
		said      string
		manifests int32
	}{
		"/app:v1@" + digests["linux/amd64"]:     {"write " + host + "/app:v1@" + top.String() + " for linux/amd64,linux/arm64, the index that has it", 2},
		"/app:v1@" + top.String():               {"", 1},
		"/app@" + digests["linux/amd64"]:        {"", 1},
		"/app:single@" + digests["linux/s390x"]: {"", 2},
		"/app:gone@" + digests["linux/amd64"]:   {"", 2},
		"/app:v1@" + digests["linux/s390x"]:     {"", 2}, // the index has nothing for it
	} {
		manifests.Store(0)
		_, errs, code := inject(t, strings.Repeat("---\nkind: Pod\napiVersion: v1\nspec:\n  containers:\n  - image: "+host+image+"\n", 20))
		if code != 0 || strings.Contains(errs, "the digest in ") != (want.said != "") || !strings.Contains(errs, want.said) || manifests.Load() != want.manifests {
			t.Errorf("%s: code %d, %d manifests\n%s", image, code, manifests.Load(), errs)
		}
	}
}
