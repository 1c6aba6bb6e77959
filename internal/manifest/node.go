package manifest

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
	value string // of a scalar
	null  bool

	start     int // offset of the first byte; of a block collection, of its first key or dash
	line, col int // of start, from 1; col counts bytes

	keys []*node // of a mapping
	kids []*node // values of a mapping, in the order of keys; items of a sequence

	alias    *node // what an alias stands for; kind and the rest are its own
	anchored bool  // has an anchor or a tag, which start points at
	shared   bool  // part of something that an alias repeats elsewhere
}

// resolve follows an alias.
func (n *node) resolve() *node {
	if n.alias != nil {
		return n.alias
	}
	return n
}

// get gives the key and the value of a mapping's entry, or nils.
func (n *node) get(key string) (k, v *node) {
	for i, k := range n.keys {
		if k.kind == scalar && k.value == key {
			return k, n.kids[i]
		}
	}
	return nil, nil
}

// text gives the value of a mapping's entry if it is a scalar, else "".
func (n *node) text(key string) string {
	if _, v := n.get(key); v != nil {
		if v = v.resolve(); v.kind == scalar && !v.null {
			return v.value
		}
	}
	return ""
}

// share marks a tree as repeated by an alias.
func (n *node) share() {
	if n.shared {
		return
	}
	n.shared = true
	for _, k := range n.keys {
		k.share()
	}
	for _, k := range n.kids {
		k.share()
	}
}

// duplicate gives the second of two equal keys of a mapping in the tree.
func (n *node) duplicate() *node {
	seen := make(map[string]bool, len(n.keys))
	for _, k := range n.keys {
		if k.kind == scalar && k.value != "<<" {
			if seen[k.value] {
				return k
			}
			seen[k.value] = true
		}
	}
	for _, kid := range n.kids {
		if d := kid.duplicate(); d != nil {
			return d
		}
	}
	return nil
}

// merge gives the first "<<" key of a mapping in the tree.
func (n *node) merge() *node {
	for i, k := range n.keys {
		if k.kind == scalar && k.value == "<<" && k.quote == 0 {
			return k
		}
		if m := n.kids[i].merge(); m != nil {
			return m
		}
	}
	if n.kind == sequence {
		for _, kid := range n.kids {
			if m := kid.merge(); m != nil {
				return m
			}
		}
	}
	return nil
}
