// Package layout reads and writes OCI image layouts, images in a folder
// (github.com/opencontainers/image-spec, image-layout.md, v1.1).
//
// A layout may come from anybody: sizes are bounded, digests are checked when
// a blob is read to its end, and no name and no link in it leads out of its
// folder. Only regular files are read, and none is written through a link.
package layout

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/exit"
)

const (
	// RefName is the annotation that holds a tag (image-spec annotations.md).
	RefName = "org.opencontainers.image.ref.name"

	marker     = "oci-layout"
	indexName  = "index.json"
	version    = "1.0.0"
	maxMarker  = 1 << 10
	maxIndex   = 4 << 20
	scheme     = "oci:"
	algorithm  = "sha256"
	markerText = `{"imageLayoutVersion":"` + version + `"}`
)

// A Name names a layout, and an image in it: "oci:PATH" or "oci:PATH:TAG".
type Name struct {
	Path string
	Tag  string // empty: the only one
}

// ParseName reads oci:PATH[:TAG]. What follows the last colon is a tag if it
// has no slash; ok is false if s does not start with oci:.
func ParseName(s string) (n Name, ok bool, err error) {
	rest, ok := strings.CutPrefix(s, scheme)
	if !ok {
		return n, false, nil
	}
	n.Path = rest
	if i := strings.LastIndexByte(rest, ':'); i > 0 && !strings.ContainsAny(rest[i:], `/\`) {
		n.Path, n.Tag = rest[:i], rest[i+1:]
		if n.Tag == "" {
			return n, true, exit.Usagef("parsing %q: nothing follows the last colon", s).Hint("write oci:PATH or oci:PATH:TAG")
		}
	}
	if n.Path == "" {
		return n, true, exit.Usagef("parsing %q: it names no folder", s).Hint("write oci:PATH or oci:PATH:TAG")
	}
	return n, true, nil
}

// String returns oci:PATH[:TAG].
func (n Name) String() string {
	if n.Tag == "" {
		return scheme + n.Path
	}
	return scheme + n.Path + ":" + n.Tag
}

// A Layout is a folder with an image layout in it.
type Layout struct {
	folder string // for messages
	root   *os.Root
}

// Open opens a layout that exists.
func Open(folder string) (*Layout, error) {
	l := &Layout{folder: folder}
	var b []byte
	var err error
	if l.root, err = os.OpenRoot(folder); err == nil {
		b, err = l.readFile(marker, maxMarker)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.Failf("reading the OCI layout in %s: there is none: it has no file %s", folder, marker)
	}
	err = cause(err)
	var doc struct{ ImageLayoutVersion string }
	if err == nil {
		err = json.Unmarshal(b, &doc)
	}
	if err == nil && !strings.HasPrefix(doc.ImageLayoutVersion, "1.") {
		err = fmt.Errorf("it is of version %q", doc.ImageLayoutVersion)
	}
	if err != nil {
		return nil, exit.Failf("reading the OCI layout in %s: %w", folder, err)
	}
	return l, nil
}

// Resolve returns the descriptor that index.json has for a tag, or the only one
// it has.
func (l *Layout) Resolve(tag string) (v1.Descriptor, error) {
	doc, err := l.index()
	if err != nil {
		return v1.Descriptor{}, err
	}
	var names []string
	for _, d := range doc.Manifests {
		name := d.Annotations[RefName]
		if tag != "" && (name == tag || strings.HasSuffix(name, ":"+tag)) {
			return d, nil
		}
		if name != "" {
			names = append(names, name)
		}
	}
	known := ""
	if len(names) > 0 {
		known = "; its tags are " + strings.Join(names, ", ")
	}
	switch {
	case tag != "":
		return v1.Descriptor{}, exit.Failf("reading the OCI layout in %s: it has no tag %s%s", l.folder, tag, known)
	case len(doc.Manifests) != 1:
		return v1.Descriptor{}, exit.Failf("reading the OCI layout in %s: it has %d images%s", l.folder, len(doc.Manifests), known).
			Hint("write oci:%s:TAG", l.folder)
	}
	return doc.Manifests[0], nil
}

func (l *Layout) index() (*v1.IndexManifest, error) {
	b, err := l.readFile(indexName, maxIndex)
	if err != nil {
		return nil, exit.Failf("reading the OCI layout in %s: %w", l.folder, err)
	}
	doc := &v1.IndexManifest{}
	if err := json.Unmarshal(b, doc); err != nil {
		return nil, exit.Failf("reading %s: %w", filepath.Join(l.folder, indexName), err)
	}
	return doc, nil
}

// path returns where in the layout a blob is.
func (l *Layout) path(d v1.Hash) (string, error) {
	if _, err := v1.NewHash(d.String()); err != nil || d.Algorithm != algorithm {
		return "", exit.Failf("reading the OCI layout in %s: %q is not a sha256 digest", l.folder, d)
	}
	return filepath.Join("blobs", d.Algorithm, d.Hex), nil
}

// Has reports whether a blob of that digest and size is there.
func (l *Layout) Has(d v1.Descriptor) bool {
	path, err := l.path(d.Digest)
	if err != nil {
		return false
	}
	info, err := l.root.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == d.Size
}

// Blob reads a small blob whole: a manifest or a config of at most 4 MiB.
func (l *Layout) Blob(d v1.Descriptor) ([]byte, error) {
	if d.Size > maxIndex {
		return nil, exit.Failf("reading %s in %s: its %d bytes are more than %d", d.Digest, l.folder, d.Size, maxIndex)
	}
	r, err := l.Open(d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Open reads a blob as a stream. At its end, size and digest are checked: a
// blob that is read to io.EOF is the right one.
func (l *Layout) Open(d v1.Descriptor) (io.ReadCloser, error) {
	path, err := l.path(d.Digest)
	if err != nil {
		return nil, err
	}
	f, err := l.open(path)
	if err != nil {
		return nil, exit.Failf("reading %s in %s: %w", d.Digest, l.folder, cause(err))
	}
	if info, err := f.Stat(); err != nil || info.Size() != d.Size {
		f.Close()
		return nil, exit.Failf("reading %s in %s: it is not a file of %d bytes", d.Digest, l.folder, d.Size)
	}
	return &checked{f, sha256.New(), d, l.folder}, nil
}

// checked compares the digest of what was read at its end.
type checked struct {
	*os.File
	hash   hash.Hash
	d      v1.Descriptor
	folder string
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	c.hash.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if got := hex.EncodeToString(c.hash.Sum(nil)); got != c.d.Digest.Hex {
			return 0, exit.Failf("reading %s in %s: what is stored has the digest sha256:%s", c.d.Digest, c.folder, got)
		}
	}
	return n, err
}

// WriteTo keeps io.Copy from passing by Read.
func (c *checked) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c})
}

// open opens a regular file of the layout. A pipe would be waited for, without
// O_NONBLOCK.
func (l *Layout) open(name string) (*os.File, error) {
	f, err := l.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (l *Layout) readFile(name string, max int64) ([]byte, error) {
	f, err := l.open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, cause(err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(b)) > max {
		err = fmt.Errorf("%s is longer than %d bytes", name, max)
	}
	return b, err
}

// cause drops the path from an error: what is read is named by the caller.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func emptyIndex() *v1.IndexManifest {
	return &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
}
