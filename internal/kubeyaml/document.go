package kubeyaml

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/pod"
)

// A Document is a chunk that was read.
type Document struct {
	Workloads []*Workload

	chunk     Chunk
	kinds     Kinds
	edits     []Edit
	requested int
	shared    map[Edit]*repeated // edits to what aliases repeat
	replaced  map[*node]int      // aliases of a node that edits replace by text

	resources *node // the document, if it is a ResourceList
	odd       bool  // scan was not sure of it
}

// A Workload is an object that holds a PodSpec.
type Workload struct {
	APIVersion, Kind string
	Namespace, Name  string
	Generated        bool // Name is the start of a name that the API server completes
	Line             int
	Spec             pod.Spec

	doc    *Document
	path   string // of the PodSpec: spec.template.spec
	obj    *node
	pod    *node
	images []*node // of Spec.Containers
	quoted bool    // texts are in double quotes throughout, as in KYAML
	style  style
}

// A Reader reads chunks.
type Reader struct {
	Kinds Kinds
	// Named says that the user named the files: one that does not look like a
	// manifest has to be readable at least.
	Named bool
}

// Read finds the workloads of a chunk. Errors carry the line, not the file.
func (r *Reader) Read(c Chunk) (*Document, error) {
	d := &Document{chunk: c, kinds: r.Kinds}
	if !r.worthReading(c.Bytes) {
		return d, nil
	}
	if err := refuse(c); err != nil {
		return nil, err
	}
	roots, odd, err := parse(c)
	d.odd = odd
	if err != nil {
		return nil, template(c, err)
	}
	for _, root := range roots {
		found := len(d.Workloads)
		if root.kind == mapping && isResourceList(root) {
			d.resources = root
		}
		if err := d.find(root, 0); err != nil {
			return nil, template(c, err)
		}
		if len(d.Workloads) == found {
			continue
		}
		if err := root.walk(d.sound); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// parse picks the parser. What starts with a brace may be JSON or YAML. What
// neither encoding/json nor scan reads is odd.
func parse(c Chunk) (roots []*node, odd bool, err error) {
	from, ok := startsJSON(c.Bytes)
	if !ok {
		if roots, ok := scan(c); ok {
			return roots, false, nil
		}
		roots, err = parseYAML(c)
		return roots, true, err
	}
	if roots, err = parseJSON(c, from); err == nil {
		return roots, false, nil
	}
	jsonErr := err
	roots, err = parseYAML(c)
	if rest := bytes.TrimLeft(c.Bytes[from+1:], " \t\r\n"); err != nil && bytes.HasPrefix(rest, []byte(`"`)) {
		err = jsonErr
	}
	return roots, true, err
}

// fewKeys is up to where comparing each key with each is faster than a map.
const fewKeys = 16

// sound refuses a mapping that has a key twice, as the API server does, or
// that only looks like one: {{ .Values.image }} is a mapping with a mapping as
// its key.
func (d *Document) sound(m *node) error {
	if at := m.content(d.chunk.Bytes); m.flow && bytes.HasPrefix(d.chunk.Bytes[at:], []byte("{{")) {
		return template(d.chunk, exit.Failf("{{ is not a value").OnLine(m.line, m.col))
	}
	var seen map[string]bool
	if len(m.keys) > fewKeys {
		seen = make(map[string]bool, len(m.keys))
	}
	for i, k := range m.keys {
		if k.kind != scalar || k.isMerge() {
			continue
		}
		twice := seen[k.value]
		if seen == nil {
			twice = slices.ContainsFunc(m.keys[:i], func(o *node) bool { return o.kind == scalar && o.value == k.value })
		} else {
			seen[k.value] = true
		}
		if twice {
			return exit.Failf("the key %q appears twice in one mapping", k.value).OnLine(k.line, k.col).
				Hint("remove one of them; the API server refuses such a document")
		}
	}
	return nil
}

// worthReading reports whether a chunk may hold a PodSpec, or does not look like a
// manifest. A PodSpec has containers, however written.
func (r *Reader) worthReading(b []byte) bool {
	switch kind := bytes.Contains(b, []byte("kind")); {
	case bytes.Contains(b, []byte("containers")):
		return kind || r.Named
	case !r.Named:
		return false
	case bytes.IndexByte(b, '\\') >= 0 && bytes.IndexByte(b, '"') >= 0: // "c\u006fntainers"
		return true
	default:
		return !kind || !bytes.Contains(b, []byte("apiVersion"))
	}
}

// refuse names encodings in which offsets would be wrong.
func refuse(c Chunk) error {
	i := -1
	if mark := []byte("\uFEFF"); bytes.Contains(c.Bytes, mark) {
		i = bytes.Index(c.Bytes, append([]byte("\n"), mark...))
	}
	switch {
	case bytes.IndexByte(c.Bytes, 0) >= 0:
		return exit.Failf("it holds a NUL byte, so it is not UTF-8 text").OnLine(c.Line, 0).Hint("save it as UTF-8")
	case i >= 0:
		line := c.Line + bytes.Count(c.Bytes[:i+1], []byte("\n"))
		return exit.Failf("it starts with a byte order mark, which would become part of the first key").OnLine(line, 0).
			Hint("remove the mark; it may stand at the start of a file only")
	}
	return nil
}

// template says what is wrong with a Helm template that nobody rendered.
func template(c Chunk, err error) error {
	if !bytes.Contains(c.Bytes, []byte("{{")) {
		return err
	}
	return fmt.Errorf("it looks like a Helm template that was not rendered: %w", err)
}

const maxLists = 32

// find takes the workloads of an object, and of the objects of a list.
func (d *Document) find(obj *node, depth int) error {
	obj = obj.resolve()
	if obj.kind != mapping {
		return nil
	}
	apiVersion, kind := obj.text("apiVersion"), obj.text("kind")
	if _, items := obj.get("items"); items != nil && strings.HasSuffix(kind, "List") {
		if depth == maxLists {
			return exit.Failf("lists are nested more than %d deep", maxLists).OnLine(obj.line, 0)
		}
		for _, item := range items.resolve().kids {
			if err := d.find(item, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	for _, path := range d.kinds.paths(apiVersion, kind) {
		if err := d.descend(obj, obj, obj, path, ""); err != nil {
			return err
		}
	}
	return nil
}

// descend follows the path to the PodSpecs of obj; parent is the key of at.
func (d *Document) descend(obj, at, parent *node, path []string, done string) error {
	if len(path) == 0 {
		return d.workload(obj, at, parent, done)
	}
	if at.kind != mapping {
		return nil
	}
	key, all := strings.CutSuffix(path[0], "[*]")
	if done != "" {
		done += "."
	}
	done += key
	k, v := at.get(key)
	if v == nil || v.resolve().null {
		return nil
	}
	if v = v.resolve(); !all {
		return d.descend(obj, v, k, path[1:], done)
	}
	for i, item := range v.kids {
		if v.kind != sequence {
			continue
		}
		if err := d.descend(obj, item.resolve(), k, path[1:], fmt.Sprintf("%s[%d]", done, i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *Document) workload(obj, spec, parent *node, path string) error {
	if spec.kind != mapping {
		return exit.Failf("%s is not a mapping", path).OnLine(spec.line, spec.col)
	}
	w := &Workload{APIVersion: obj.text("apiVersion"), Kind: obj.text("kind"), Line: obj.line, doc: d, path: path, obj: obj, pod: spec}
	if _, meta := obj.get("metadata"); meta != nil {
		meta = meta.resolve()
		w.Name, w.Namespace = meta.text("name"), meta.text("namespace")
		if w.Name == "" {
			w.Name = meta.text("generateName")
			w.Generated = w.Name != ""
		}
	}
	if err := w.read(); err != nil {
		return err
	}
	if _, v := obj.get("kind"); v != nil {
		w.quoted = v.quote == '"'
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

// Odd reports whether the document is written in a way in which not everything
// is what it seems, so that the result of edits to it is to be looked at.
func (d *Document) Odd() bool { return d.odd }

// Edited returns the document's chunk with edits.
func (d *Document) Edited(edits []Edit) (Chunk, error) {
	var b bytes.Buffer
	err := d.chunk.Apply(&b, edits)
	return Chunk{Bytes: b.Bytes(), Line: d.chunk.Line}, err
}

// Requested returns how many edits were requested so far.
func (d *Document) Requested() int { return d.requested }

// Edits returns what to change, in the order of the places. It is an error if an
// edit would change more than was requested, since an alias repeats its place.
func (d *Document) Edits() ([]Edit, error) {
	slices.SortStableFunc(d.edits, func(a, b Edit) int { return a.At - b.At })
	for _, e := range d.edits {
		if r := d.shared[e]; r != nil && r.times+d.replaced[r.node] != r.node.uses {
			return nil, exit.Failf("what has to change here is repeated elsewhere by an alias").OnLine(r.node.line, r.node.col).
				Hint("write it out instead of using an anchor and an alias")
		}
	}
	return d.edits, nil
}

// A repeated is an edit to a node that aliases repeat.
type repeated struct {
	node  *node
	times int // how often it was requested
}

// edit notes an edit to a node. Workloads that share the node ask for it once
// each, and it is made once.
func (d *Document) edit(n *node, at, del int, text string) {
	e := Edit{at, del, text}
	d.requested++
	if n.uses == 0 {
		d.edits = append(d.edits, e)
		return
	}
	if d.shared == nil {
		d.shared = map[Edit]*repeated{}
	}
	if d.shared[e] == nil {
		d.shared[e] = &repeated{node: n}
		d.edits = append(d.edits, e)
	}
	d.shared[e].times++
}

// Apply writes the chunk with the edits, which are in order.
func (c Chunk) Apply(w io.Writer, edits []Edit) error {
	at := 0
	for _, e := range edits {
		if _, err := w.Write(c.Bytes[at:e.At]); err != nil {
			return err
		}
		if _, err := io.WriteString(w, e.Text); err != nil {
			return err
		}
		at = e.At + e.Del
	}
	_, err := w.Write(c.Bytes[at:])
	return err
}
