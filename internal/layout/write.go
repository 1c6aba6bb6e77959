package layout

import (
	"bytes"
	"crypto/rand"
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
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
)

// Create opens a layout to write to. A folder that does not exist, or is
// empty, becomes one.
func Create(folder string) (*Layout, error) {
	if _, err := os.Lstat(filepath.Join(folder, marker)); err == nil {
		return Open(folder)
	}
	entries, err := os.ReadDir(folder)
	if err == nil && len(entries) > 0 {
		return nil, exit.Failf("writing an OCI layout to %s: the folder has files in it and is not an OCI layout", folder)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(folder, 0o755)
	}
	l := &Layout{folder: folder}
	if err == nil {
		l.root, err = os.OpenRoot(folder)
	}
	if err == nil {
		err = l.writeIndex(emptyIndex())
	}
	if err == nil { // last, so that half a layout is none
		err = l.write(marker, strings.NewReader(markerText))
	}
	if err != nil {
		return nil, exit.Failf("writing an OCI layout to %s: %w", folder, cause(err))
	}
	return l, nil
}

// Put stores a blob, unless it is there. What r has must be d.
func (l *Layout) Put(d v1.Descriptor, r io.Reader) error {
	path, err := l.path(d.Digest)
	if err != nil || l.Has(d) {
		return err
	}
	check := &arriving{r: io.LimitReader(r, d.Size+1), hash: sha256.New(), d: d}
	if err := l.write(path, check); err != nil {
		if check.err != nil && !errors.Is(check.err, errOther) {
			return check.err // of the source
		}
		return exit.Failf("writing %s to %s: %w", d.Digest, l.folder, cause(err))
	}
	return nil
}

// arriving checks a blob at its end, before it gets its name.
type arriving struct {
	r    io.Reader
	hash hash.Hash
	n    int64
	d    v1.Descriptor
	err  error
}

var errOther = errors.New("it is another blob")

func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	a.hash.Write(p[:n])
	a.n += int64(n)
	switch got := hex.EncodeToString(a.hash.Sum(nil)); {
	case err == nil:
	case !errors.Is(err, io.EOF):
		a.err = err
	case a.n != a.d.Size || got != a.d.Digest.Hex:
		a.err = fmt.Errorf("%w: what came has %d bytes and the digest sha256:%s, instead of %d bytes", errOther, a.n, got, a.d.Size)
		err = a.err
	}
	return n, err
}

// write puts a file in place whole. A link of that name is replaced, and a
// folder that is a link out of the layout is not entered.
func (l *Layout) write(name string, r io.Reader) error {
	if err := l.root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	temporary := filepath.Join(filepath.Dir(name), ".polyarch-"+rand.Text())
	f, err := l.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = l.root.Rename(temporary, name)
	}
	if err != nil {
		l.root.Remove(temporary)
	}
	return err
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
	return l.write(indexName, bytes.NewReader(append(b, '\n')))
}
