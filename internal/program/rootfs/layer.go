package rootfs

import (
	"hash/maphash"
	"iter"
	"maps"
	"path"
	"strings"

	"github.com/polyarch/polyarch/internal/program/object"
)

// A Kind is what stands at a path.
type Kind uint8

const (
	Regular Kind = iota
	Folder
	Link    // a symbolic link
	Hard    // a further name of a regular file
	Special // a device, a pipe
)

// An Entry is one file of a layer.
type Entry struct {
	Kind   Kind
	Mode   uint16 // the permission bits, with set-uid and set-gid
	Target string // of a Link and a Hard: where it leads
	File   object.File
	Text   []byte // the content of a short file that may be looked into
	Caps   bool   // it has capabilities of its own
}

// Executable reports whether anybody may start the file.
func (e *Entry) Executable() bool { return e.Mode&0o111 != 0 }

// Privileged reports whether the file may run with rights that its caller does
// not have; loaders ignore parts of the environment then.
func (e *Entry) Privileged() bool { return e.Mode&0o6000 != 0 || e.Caps }

// plain is what stands for files of which nothing more is kept.
var plain = &Entry{Kind: Regular}

// A Layer is what was kept of one layer. It is not changed once it is read, so
// several images can share it.
type Layer struct {
	entries map[string]*Entry
	plain   map[uint64]struct{} // hashes of the paths of other files
	implied map[string]struct{} // folders without an entry of their own
	hidden  map[string]struct{} // lower layers' files that are gone
	opaque  map[string]struct{} // folders whose lower layers' files are gone

	opaqueJars []string // jars that could not be read to their end
}

var seed = maphash.MakeSeed()

func newLayer() *Layer {
	return &Layer{
		entries: map[string]*Entry{}, plain: map[uint64]struct{}{}, implied: map[string]struct{}{},
		hidden: map[string]struct{}{}, opaque: map[string]struct{}{},
	}
}

// add takes in an entry; one that comes later takes the place of one that came
// before. A nil entry is a plain file. It returns how many folders it implies
// that nothing implied before.
func (l *Layer) add(p string, e *Entry) (implied int) {
	h := maphash.String(seed, p)
	delete(l.implied, p)
	if e == nil {
		delete(l.entries, p)
		l.plain[h] = struct{}{}
	} else {
		delete(l.plain, h)
		l.entries[p] = e
	}
	return l.imply(p)
}

// imply makes folders of what a path is in.
func (l *Layer) imply(p string) (implied int) {
	for at := parent(p); at != ""; at = parent(at) {
		if _, ok := l.implied[at]; ok {
			return implied
		}
		if e, ok := l.entries[at]; ok && e.Kind == Folder {
			return implied
		} else if !ok {
			l.implied[at] = struct{}{}
			implied++
		}
	}
	return implied
}

// at returns the entry for a path itself.
func (l *Layer) at(p string) (e *Entry, ok bool) {
	if e, ok := l.entries[p]; ok {
		return e, true
	}
	if _, ok := l.plain[maphash.String(seed, p)]; ok {
		return plain, true
	}
	return nil, false
}

// All returns the entries of which more is kept than that they are there, by
// their paths, in no order.
func (l *Layer) All() iter.Seq2[string, *Entry] { return maps.All(l.entries) }

// fold makes paths in lower case lead to the paths of the layer.
func (l *Layer) fold() *Layer {
	f := newLayer()
	for p, e := range l.All() {
		f.entries[strings.ToLower(p)] = e
	}
	for p := range l.implied {
		f.implied[strings.ToLower(p)] = struct{}{}
	}
	for p := range l.hidden {
		f.hidden[strings.ToLower(p)] = struct{}{}
	}
	for p := range l.opaque {
		f.opaque[strings.ToLower(p)] = struct{}{}
	}
	return f
}

// Clean makes a path of a layer of any path: no slash at either end, no dots.
func Clean(p string) string { return strings.TrimPrefix(path.Clean("/"+p), "/") }

func parent(p string) string {
	if at := strings.LastIndexByte(p, '/'); at >= 0 {
		return p[:at]
	}
	return ""
}
