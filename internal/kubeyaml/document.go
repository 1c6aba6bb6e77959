package kubeyaml

import (
	"bytes"
	"slices"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/pod"
)

// A Document is a chunk that was read.
type Document struct {
	Workloads  []*Workload
	Unread     []Unread // what holds containers and is of no known kind
	Left       []Left   // objects that are left alone
	Others     []Other  // objects of the kinds that the Reader was asked for
	Duplicates []Duplicate
	Object     bool // it holds an object, by its looks if it was not parsed

	chunk     Chunk
	reader    *Reader
	edits     []Edit
	requested int
	shared    map[Edit]*repeated // edits to what aliases repeat
	replaced  map[*node]int      // aliases of a node that edits replace by text
	planned   map[*node][]change // what edits do to nodes
	read      map[*node]keys     // mappings that decide, with the keys of them that do
	pods      map[*node]bool     // of Workloads
	visits    int
	taken     int
	lines     []int // the offset of each, once one was asked for

	roots     []*node
	resources *node // the document, if it is a ResourceList
}

// A Workload is an object that holds a PodSpec.
type Workload struct {
	APIVersion, Kind string
	Namespace, Name  string
	Generated        bool // Name is the start of a name that the API server completes
	Line             int
	Spec             pod.Spec
	Architecture     string   // that it is for beside its images, of a virtual machine
	Flags            []string // the --pod-spec flags that name the place

	doc      *Document
	path     string // of the PodSpec: spec.template.spec
	form     *form
	obj      *node
	pod      *node
	images   []*node // of Spec.Containers
	covers   *node   // an affinity that applies as long as the place has none of its own
	coversAt string
	quoted   bool // texts are in double quotes throughout, as in KYAML
	style    style
}

// An Unread is a mapping with containers in an object of a kind that is not
// known, or an object whose images stand outside a PodSpec.
type Unread struct {
	Kind, Path string // as --pod-spec takes them: GROUP/KIND and PATH
	Line       int
	Why        string // if there is no such path: why it is left, and what to do
}

// A Left is an object that is left alone, since it is a part of one.
type Left struct {
	Object string // its kind and name
	Line   int
	Why    string
}

// A Duplicate is a key that appears twice in a mapping, away from what decides
// where a Pod runs.
type Duplicate struct {
	Key  string
	Line int
}

// A Reader reads chunks. It may be used by several goroutines.
type Reader struct {
	Kinds Kinds
	// Others are kinds of the core that hold no PodSpec and are wanted all the
	// same: "Node".
	Others []string
	// Named says that the user named the file: one that does not look like a
	// manifest has to be readable at least.
	Named bool
}

// Read finds the workloads of a chunk. Errors carry the line, not the file.
func (r *Reader) Read(c Chunk) (*Document, error) {
	d := &Document{chunk: c, reader: r}
	if c.Raw {
		return d, nil
	}
	text := readable(c.Bytes)
	d.Object = bytes.Contains(text, []byte("apiVersion")) && bytes.Contains(text, []byte("kind")) || c.Item
	if err := refuse(c); err != nil {
		if r.Named || d.Object || utf16(c.Bytes) {
			return nil, err
		}
		return d, nil
	}
	quiet := false // it is read for a note alone, and kubectl says what is wrong with it
	if !r.worthReading(text) && !r.holdsOthers(text) {
		if !d.Object || !mayName(text) {
			return d, nil
		}
		quiet = !inElsewhere(text)
	}
	if err := small(c); err != nil {
		if quiet {
			return d, nil
		}
		return nil, err
	}
	roots, err := parse(c)
	if err != nil && (quiet || !r.Named && !d.Object) {
		return d, nil
	}
	if err != nil {
		return nil, template(c, syntax(c, err))
	}
	d.roots = roots
	if c.Item { // it stands in a sequence of its own, or by itself in JSON
		roots = nil
		for _, root := range d.roots {
			if root.kind == sequence {
				roots = append(roots, root.kids...)
			} else {
				roots = append(roots, root)
			}
		}
	}
	for _, root := range roots {
		root = root.resolve()
		if root.kind == mapping && isResourceList(root) {
			d.resources = root
		}
		if err := d.find(root, c.List, 0); err != nil {
			if quiet {
				return &Document{chunk: c, reader: r, Object: true}, nil
			}
			return nil, template(c, err)
		}
	}
	if len(d.Workloads) > 0 {
		for _, root := range d.roots {
			if err := root.walk(d.sound); err != nil {
				return nil, template(c, err)
			}
		}
	}
	return d, nil
}

// parse picks the parser. What starts with a brace may be JSON or YAML.
func parse(c Chunk) ([]*node, error) {
	from, ok := startsJSON(c.Bytes)
	if !ok {
		if roots, ok := scan(c); ok {
			return roots, nil
		}
		return parseYAML(c)
	}
	roots, err := parseJSON(c, from)
	if err == nil {
		return roots, nil
	}
	if c.Item {
		return nil, err
	}
	jsonErr := err
	roots, err = parseYAML(c)
	if rest := bytes.TrimLeft(c.Bytes[from+1:], " \t\r\n"); err != nil && bytes.HasPrefix(rest, []byte(`"`)) {
		err = jsonErr
	}
	return roots, err
}

// An Edit replaces bytes of a chunk.
type Edit struct {
	At, Del int // offset and number of the bytes that go
	Text    string
}

// Requested returns how many edits were requested so far.
func (d *Document) Requested() int { return d.requested }

// Edits returns what to change, in the order of the places. It is an error if
// an edit would change more than was requested, since an alias repeats its
// place, or if what comes out is not the document with just those changes.
func (d *Document) Edits() ([]Edit, error) {
	slices.SortStableFunc(d.edits, func(a, b Edit) int { return a.At - b.At })
	for _, e := range d.edits {
		if r := d.shared[e]; r != nil && r.times+d.replaced[r.node] != r.node.uses {
			return nil, exit.Failf("what has to change here is repeated elsewhere by an alias").OnLine(r.node.line, r.node.col).
				Hint("write it out instead of using an anchor and an alias")
		}
	}
	if len(d.edits) == 0 {
		return nil, nil
	}
	return d.edits, d.verify()
}

// A repeated is an edit to a node that aliases repeat.
type repeated struct {
	node  *node
	times int // how often it was requested
}

// edit notes an edit to a node. Workloads that share the node ask for it once
// each, and it is made once; planned says what it does to which node.
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
