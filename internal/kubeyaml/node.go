package kubeyaml

import (
	"bytes"

	"gopkg.in/yaml.v3"
)

type kind uint8

const (
	scalar kind = iota
	mapping
	sequence
)

// A node is a value of a document with its place in the chunk. Several parsers
// make it, so that one finder and one editor serve them all.
type node struct {
	kind  kind
	flow  bool   // [a, b] or {a: b}
	quote byte   // of a scalar: 0 plain, else ' " | >
	value string // of a scalar; of an alias, its name
	null  bool

	encoded bool // value is the scalar as it is written, quotes or bar and all

	start     int // offset of the first byte; of a block collection, of its first key or dash
	end       int // offset behind the last byte, comments left out; 0 if not known
	line, col int // of start, from 1; col counts bytes

	keys []*node // of a mapping
	kids []*node // values of a mapping, in the order of keys; items of a sequence

	alias    *node // what an alias stands for; kind and the rest are its own
	anchored bool  // has an anchor or a tag, which start points at
	uses     int   // how often it stands in the document, counting aliases; 0 means once, -1 that it was not counted
}

// resolve follows an alias.
func (n *node) resolve() *node {
	if n.alias != nil {
		return n.alias
	}
	return n
}

// str returns the value of a scalar.
func (n *node) str() string {
	if n.encoded {
		v, _ := decode(n.value)
		return v
	}
	return n.value
}

// decode returns the value of a quoted or block scalar as it is written.
func decode(written string) (v string, ok bool) {
	var l []string
	if err := yaml.Unmarshal([]byte("- "+written), &l); err != nil || len(l) != 1 {
		return "", false
	}
	return l[0], true
}

// is reports whether a key is that text, however it is written.
func (n *node) is(key string) bool {
	k := n.resolve()
	return k.kind == scalar && k.value == key
}

// own returns the key and the value of an entry that stands in the mapping
// itself, or nils.
func (n *node) own(key string) (k, v *node) {
	for i, k := range n.keys {
		if k.is(key) {
			return k, n.kids[i]
		}
	}
	return nil, nil
}

// isMerge reports whether a key is YAML 1.1's merge key.
func (n *node) isMerge() bool {
	return n.kind == scalar && n.value == "<<" && n.quote == 0 && n.alias == nil
}

// mergedFrom returns the mappings that the value of a merge key names: itself,
// or those of a list.
func (n *node) mergedFrom() []*node {
	if r := n.resolve(); r.kind == sequence {
		return r.kids
	}
	return []*node{n}
}

// get returns an entry, also one that a merge key brings in. Each mapping is
// looked at once, however often merge keys name it.
func (n *node) get(key string) (k, v *node) {
	if k, v = n.own(key); v != nil {
		return k, v
	}
	return n.merged(key, nil)
}

func (n *node) merged(key string, seen map[*node]bool) (k, v *node) {
	for i, m := range n.keys {
		if !m.isMerge() {
			continue
		}
		if seen == nil {
			seen = map[*node]bool{n: true}
		}
		for _, f := range n.kids[i].mergedFrom() {
			f = f.resolve()
			if seen[f] {
				continue
			}
			seen[f] = true
			if k, v = f.own(key); v != nil {
				return k, v
			}
			if k, v = f.merged(key, seen); v != nil {
				return k, v
			}
		}
	}
	return nil, nil
}

// ownAndMerged calls each with the keys of a mapping and of those that merge
// keys bring in.
func (n *node) ownAndMerged(seen map[*node]bool, each func(key *node)) {
	for i, k := range n.keys {
		if !k.isMerge() {
			each(k)
			continue
		}
		if seen == nil {
			seen = map[*node]bool{n: true}
		}
		for _, f := range n.kids[i].mergedFrom() {
			if f = f.resolve(); !seen[f] {
				seen[f] = true
				f.ownAndMerged(seen, each)
			}
		}
	}
}

// text returns the value of a mapping's entry if it is a scalar, else "".
func (n *node) text(key string) string {
	if _, v := n.get(key); v != nil {
		if v = v.resolve(); v.kind == scalar && !v.null {
			return v.str()
		}
	}
	return ""
}

// share notes that a tree stands n times in the document.
func (n *node) share(times int) {
	if n.uses != 0 {
		times = -1 // an anchor within an anchor
	}
	n.uses = times
	for _, k := range n.keys {
		k.share(times)
	}
	for _, k := range n.kids {
		k.share(times)
	}
}

// walk visits the mappings of the tree until one is not to visit's liking.
func (n *node) walk(visit func(*node) error) error {
	if n.kind == mapping {
		if err := visit(n); err != nil {
			return err
		}
	}
	for _, k := range n.keys {
		if err := k.walk(visit); err != nil {
			return err
		}
	}
	for _, k := range n.kids {
		if err := k.walk(visit); err != nil {
			return err
		}
	}
	return nil
}

// content returns the offset behind the anchor and the tag of a node.
func (n *node) content(src []byte) int {
	at := n.start
	for n.anchored && at < len(src) && (src[at] == '&' || src[at] == '!') {
		for at < len(src) && !bytes.ContainsRune([]byte(" \t\r\n"), rune(src[at])) {
			at++
		}
		for at < len(src) && bytes.ContainsRune([]byte(" \t\r\n"), rune(src[at])) {
			at++
		}
	}
	return at
}
