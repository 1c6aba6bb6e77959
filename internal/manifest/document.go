package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/pod"
)

// A Document is a chunk that was read.
type Document struct {
	Workloads []*Workload

	chunk Chunk
	edits []Edit
}

// A Workload is an object that holds a PodSpec.
type Workload struct {
	Kind, Name string
	Line       int
	Spec       pod.Spec

	doc    *Document
	path   string // of the PodSpec: spec.template.spec
	pod    *node
	images []*node // of Spec.Containers
	style  style
}

// Read finds the workloads of a chunk. Errors carry the line, not the file.
func Read(c Chunk) (*Document, error) {
	d := &Document{chunk: c}
	if !worthReading(c.Bytes) {
		return d, nil
	}
	if err := refuse(c); err != nil {
		return nil, err
	}
	roots, err := parseYAML(c)
	if err != nil {
		return nil, template(c, err)
	}
	for _, root := range roots {
		found := len(d.Workloads)
		if err := d.find(root, 0); err != nil {
			return nil, err
		}
		if len(d.Workloads) == found {
			continue
		}
		if m := root.merge(); m != nil {
			return nil, exit.Failf("line %d: a merge key (<<) in a document with a PodSpec is not supported", m.line).At("", m.line, m.col).
				Hint("write out what it merges")
		}
		if dup := root.duplicate(); dup != nil {
			return nil, exit.Failf("line %d: the key %q stands twice in one mapping", dup.line, dup.value).At("", dup.line, dup.col).
				Hint("remove one of them; the API server refuses such a document")
		}
	}
	return d, nil
}

// worthReading reports whether a chunk may hold a PodSpec, or is no manifest
// that one could tell by its looks. A PodSpec has containers, however written.
func worthReading(b []byte) bool {
	if bytes.Contains(b, []byte("containers")) || bytes.ContainsRune(b, '\\') && bytes.Contains(b, []byte(`"`)) {
		return true
	}
	return !bytes.Contains(b, []byte("kind")) || !bytes.Contains(b, []byte("apiVersion"))
}

// refuse names encodings in which offsets would be wrong.
func refuse(c Chunk) error {
	mark := []byte("\uFEFF")
	switch i := bytes.LastIndex(c.Bytes, append([]byte("\n"), mark...)); {
	case bytes.IndexByte(c.Bytes, 0) >= 0:
		return exit.Failf("line %d: it holds a NUL byte, so it is not UTF-8 text", c.Line).At("", c.Line, 0).Hint("save it as UTF-8")
	case i >= 0:
		line := c.Line + bytes.Count(c.Bytes[:i+1], []byte("\n"))
		return exit.Failf("line %d: it starts with a byte order mark, which would become part of the first key", line).At("", line, 0).
			Hint("remove the mark; it may stand at the start of a file only")
	}
	return nil
}

// template says what is wrong with a Helm template that nobody rendered.
func template(c Chunk, err error) error {
	if !bytes.Contains(c.Bytes, []byte("{{")) {
		return err
	}
	return fmt.Errorf("%w (this looks like a Helm template)", err)
}

const maxLists = 32

func (d *Document) find(obj *node, depth int) error {
	obj = obj.resolve()
	if obj.kind != mapping {
		return nil
	}
	apiVersion, kind := obj.text("apiVersion"), obj.text("kind")
	if _, items := obj.get("items"); items != nil && strings.HasSuffix(kind, "List") {
		if depth == maxLists {
			return exit.Failf("line %d: lists are nested more than %d deep", obj.line, maxLists).At("", obj.line, 0)
		}
		for _, item := range items.resolve().kids {
			if err := d.find(item, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	path, ok := holders[group(apiVersion)+"/"+kind]
	if !ok {
		return nil
	}
	spec, parent := obj, obj
	for _, key := range strings.Split(path, ".") {
		k, v := spec.get(key)
		if v == nil {
			return nil
		}
		parent, spec = k, v.resolve()
	}
	if spec.kind != mapping {
		if spec.null {
			return nil
		}
		return exit.Failf("line %d: %s is no mapping", spec.line, path).At("", spec.line, spec.col)
	}
	w := &Workload{Kind: kind, Line: obj.line, doc: d, path: path, pod: spec}
	if _, meta := obj.get("metadata"); meta != nil {
		w.Name = meta.resolve().text("name")
	}
	if err := w.read(); err != nil {
		return err
	}
	w.style = styleOf(d.chunk.Bytes, spec, parent)
	d.Workloads = append(d.Workloads, w)
	return nil
}

// An Edit replaces bytes of a chunk.
type Edit struct {
	At, Del int // offset and number of the bytes that go
	Text    string
}

// Edits gives what to change, in the order of the places.
func (d *Document) Edits() []Edit {
	slices.SortStableFunc(d.edits, func(a, b Edit) int { return a.At - b.At })
	return d.edits
}

// Apply gives the chunk with the edits, which are in order.
func (c Chunk) Apply(edits []Edit) []byte {
	if len(edits) == 0 {
		return c.Bytes
	}
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(out, c.Bytes[at:e.At]...)
		out = append(out, e.Text...)
		at = e.At + e.Del
	}
	return append(out, c.Bytes[at:]...)
}
