package layout

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func descriptor(t testing.TB, s string) v1.Descriptor {
	t.Helper()
	d, n, err := v1.SHA256(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: d, Size: n}
}

func TestParseName(t *testing.T) {
	for in, want := range map[string]string{
		"oci:out": "out|", "oci:out:v1": "out|v1", "oci:/a/b:c/d": "/a/b:c/d|", "oci:a=b": "a=b|",
		"oci:": "error", "oci:out:": "error", "out": "none", "oci-archive:x": "none",
	} {
		n, ok, err := ParseName(in)
		got := n.Path + "|" + n.Tag
		if err != nil {
			got = "error"
		} else if !ok {
			got = "none"
		} else if n.String() != in {
			t.Errorf("%s prints as %s", in, n)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestWriteAndRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	l, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := descriptor(t, "hello")
	if err := l.PutBytes(d, []byte("hullo")); err == nil || l.Has(d) {
		t.Errorf("other bytes than their digest says were stored: %v", err)
	}
	if err := l.PutBytes(d, []byte("hello, and more")); err == nil || l.Has(d) {
		t.Errorf("more bytes than their size says were stored: %v", err)
	}
	for range 2 {
		if err := l.PutBytes(d, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if err := l.Tag(d, []string{"v1", "latest"}); err != nil {
			t.Fatal(err)
		}
	}
	l, err = Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Resolve("v1")
	if err != nil || got.Digest != d.Digest {
		t.Errorf("%v, %v", got, err)
	}
	b, err := l.Blob(got)
	if err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	// What changed on disk is not the blob any more.
	path := filepath.Join(dir, "blobs", "sha256", d.Digest.Hex)
	if err := os.WriteFile(path, []byte("hullo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if b, err := l.Blob(got); err == nil {
		t.Errorf("a blob with another digest is read: %q", b)
	}
	r, err := l.Open(got)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	if _, err := out.ReadFrom(r); err == nil {
		t.Error("a blob with another digest is streamed")
	}
}

// Whatever index.json says, nothing outside the folder is read.
func FuzzResolve(f *testing.F) {
	for _, s := range []string{
		`{"manifests":[{"digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","size":1,"annotations":{"org.opencontainers.image.ref.name":"v1"}}]}`,
		`{"manifests":[{"digest":"sha256:../../../../../../etc/passwd","size":1}]}`, "[]", "{",
	} {
		f.Add(s, "v1")
	}
	f.Fuzz(func(t *testing.T, s, tag string) {
		dir := t.TempDir()
		for name, text := range map[string]string{marker: markerText, indexName: s} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		l, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		d, err := l.Resolve(tag)
		if err != nil {
			return
		}
		if path, err := l.path(d.Digest); err == nil && filepath.Dir(path) != filepath.Join(dir, "blobs", "sha256") {
			t.Errorf("%s leads to %s", d.Digest, path)
		}
		if _, err := l.Blob(d); err == nil {
			t.Error("a blob that is not there is read")
		}
	})
}
