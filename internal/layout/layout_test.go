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
		if path, err := l.path(d.Digest); err == nil && filepath.Dir(path) != filepath.Join("blobs", "sha256") {
			t.Errorf("%s leads to %s", d.Digest, path)
		}
		if _, err := l.Blob(d); err == nil {
			t.Error("a blob that is not there is read")
		}
	})
}

// No link in a layout leads out of it, to read or to write, and a pipe in it
// is not waited for. A new trick is a line in this table.
func TestLinksAndPipes(t *testing.T) {
	d := descriptor(t, "hello")
	blob := filepath.Join("blobs", "sha256", d.Digest.Hex)
	for name, c := range map[string]struct {
		spoil       func(dir, outside string) error
		read, write bool // go well all the same
	}{
		"nothing":                   {func(dir, outside string) error { return nil }, true, true},
		"the blob is a link":        {link("secret", blob), false, true},
		"the blob is a pipe":        {pipe(blob), false, true},
		"the index is a link":       {link("index", "index.json"), false, false},
		"the index is a pipe":       {pipe("index.json"), false, false},
		"the marker is a link":      {link("marker", "oci-layout"), false, false},
		"the marker is a pipe":      {pipe("oci-layout"), false, false},
		"the marker is /dev/zero":   {special("/dev/zero", "oci-layout"), false, false},
		"the blobs are elsewhere":   {link("blobs", "blobs"), false, false},
		"the folder of its digests": {link("blobs", filepath.Join("blobs", "sha256")), false, false},
	} {
		dir, outside := filepath.Join(t.TempDir(), "layout"), t.TempDir()
		l, err := Create(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.PutBytes(d, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if err := l.Tag(d, []string{"v1"}); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{"secret": "hello", "index": `{"schemaVersion":2,"manifests":[]}`, "marker": markerText, filepath.Join("blobs", "sha256", d.Digest.Hex): "hello", filepath.Join("blobs", d.Digest.Hex): "hello"}
		for file, s := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(outside, file)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(outside, file), []byte(s), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.spoil(dir, outside); err != nil {
			t.Skip(err) // where there are no links
		}
		read := func() error {
			l, err := Open(dir)
			if err != nil {
				return err
			}
			if _, err := l.Resolve("v1"); err != nil {
				return err
			}
			_, err = l.Blob(d)
			return err
		}
		if err := read(); (err == nil) != c.read {
			t.Errorf("%s: reading: %v", name, err)
		}
		write := func() error {
			l, err := Create(dir)
			if err != nil {
				return err
			}
			more := descriptor(t, "more")
			if err := l.PutBytes(more, []byte("more")); err != nil {
				return err
			}
			if err := l.PutBytes(d, []byte("hello")); err != nil {
				return err
			}
			return l.Tag(more, []string{"v2"})
		}
		if err := write(); (err == nil) != c.write {
			t.Errorf("%s: writing: %v", name, err)
		}
		for file, s := range files {
			if b, err := os.ReadFile(filepath.Join(outside, file)); err != nil || string(b) != s {
				t.Errorf("%s: %s outside is %q, %v", name, file, b, err)
			}
		}
		if entries, err := os.ReadDir(outside); err != nil || len(entries) != 4 {
			t.Errorf("%s: outside there is %v, %v", name, entries, err)
		}
	}
}

// link puts a link to something outside in place of a file of the layout.
func link(to, name string) func(dir, outside string) error {
	return func(dir, outside string) error { return special(filepath.Join(outside, to), name)(dir, outside) }
}

func special(to, name string) func(dir, outside string) error {
	return func(dir, _ string) error {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
		return os.Symlink(to, filepath.Join(dir, name))
	}
}
