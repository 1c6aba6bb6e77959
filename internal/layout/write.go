package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/atomicfile"
	"github.com/polyarch/polyarch/internal/exit"
)

// Create opens a layout to write to. A folder that does not exist, or is
// empty, becomes one.
func Create(folder string) (*Layout, error) {
	if _, err := os.Stat(filepath.Join(folder, marker)); err == nil {
		return Open(folder)
	}
	entries, err := os.ReadDir(folder)
	if err == nil && len(entries) > 0 {
		return nil, exit.Failf("writing an OCI layout to %s: the folder has files in it and is no OCI layout", folder)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(filepath.Join(folder, "blobs", algorithm), 0o755)
	}
	l := &Layout{folder}
	if err == nil {
		err = l.writeIndex(emptyIndex())
	}
	if err == nil { // last, so that half a layout is none
		err = atomicfile.WriteAll(map[string][]byte{filepath.Join(folder, marker): []byte(markerText)})
	}
	if err != nil {
		return nil, exit.Failf("writing an OCI layout to %s: %w", folder, cause(err))
	}
	return l, nil
}

// Put stores a blob, unless it is there. What r gives must be d.
func (l *Layout) Put(d v1.Descriptor, r io.Reader) error {
	path, err := l.path(d.Digest)
	if err != nil || l.Has(d) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return exit.Failf("writing %s to %s: %w", d.Digest, l.folder, cause(err))
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return exit.Failf("writing %s to %s: %w", d.Digest, l.folder, err)
	}
	defer f.Abort()
	got, n, err := v1.SHA256(io.TeeReader(io.LimitReader(r, d.Size+1), f))
	if err != nil {
		return err
	}
	if n != d.Size || got != d.Digest {
		return exit.Failf("writing %s to %s: what came has %d bytes and the digest %s, instead of %d bytes", d.Digest, l.folder, n, got, d.Size)
	}
	return f.Commit()
}

// PutBytes is Put for what is in memory.
func (l *Layout) PutBytes(d v1.Descriptor, b []byte) error { return l.Put(d, bytes.NewReader(b)) }

// Tag makes tags name a manifest, in one step: index.json is put in place
// whole. Without tags the manifest takes the place of all that has none.
func (l *Layout) Tag(d v1.Descriptor, tags []string) error {
	doc, err := l.index()
	if err != nil {
		return err
	}
	doc.Manifests = slices.DeleteFunc(doc.Manifests, func(old v1.Descriptor) bool {
		name := old.Annotations[RefName]
		return len(tags) == 0 && name == "" || slices.Contains(tags, name)
	})
	d.Platform = nil
	if len(tags) == 0 {
		d.Annotations = nil
		doc.Manifests = append(doc.Manifests, d)
	}
	for _, tag := range tags {
		d.Annotations = map[string]string{RefName: tag}
		doc.Manifests = append(doc.Manifests, d)
	}
	slices.SortFunc(doc.Manifests, func(a, b v1.Descriptor) int {
		return strings.Compare(a.Annotations[RefName], b.Annotations[RefName])
	})
	return l.writeIndex(doc)
}

func (l *Layout) writeIndex(doc *v1.IndexManifest) error {
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteAll(map[string][]byte{filepath.Join(l.folder, indexName): append(b, '\n')})
}
