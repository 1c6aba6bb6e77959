package kubeyaml

import (
	"bytes"
	"slices"
)

// dropItems takes items out of the list under a key: those that stand as they
// are written here. One with a comment, an anchor or another field is somebody
// else's and stays.
func (w *Workload) dropItems(m *node, key string, items []int) {
	k, seq := m.own(key)
	if seq == nil || seq.alias != nil {
		return
	}
	src := w.doc.chunk.Bytes
	ends := make([]int, len(seq.kids))
	var gone []int
	for _, i := range items {
		if end, ok := own(src, seq, seq.kids[i]); ok {
			ends[i] = end
			gone = append(gone, i)
		}
	}
	slices.Sort(gone)
	for _, i := range gone {
		w.doc.plan(seq.kids[i], change{kind: drop})
	}
	if !seq.flow {
		for _, i := range gone {
			at := w.doc.lineStart(seq.kids[i].start)
			w.doc.edit(seq, at, ends[i]-at, "")
		}
		if len(gone) == len(seq.kids) {
			w.doc.edit(seq, k.start+bytes.IndexByte(src[k.start:], ':')+1, 0, " []")
		}
		return
	}
	for len(gone) > 0 { // each run of neighbours
		n := 1
		for n < len(gone) && gone[n] == gone[0]+n {
			n++
		}
		first, last := gone[0], gone[n-1]
		at, end := seq.kids[first].start, ends[last]
		switch {
		case last+1 < len(seq.kids):
			end = seq.kids[last+1].start
		case first > 0:
			at = closing(src, seq.kids[first-1].start)
		}
		w.doc.edit(seq, at, end-at, "")
		gone = gone[n:]
	}
}

// own returns where a preferred term of the form that is written here ends: in
// a block list, behind its last line.
func own(src []byte, seq, item *node) (end int, ok bool) {
	preference := child(item, "preference")
	expressions := child(preference, "matchExpressions")
	if !only(item, "weight", "preference") || !only(preference, "matchExpressions") || expressions == nil || !simple(item) {
		return 0, false
	}
	for _, e := range expressions.kids {
		if !only(e, "key", "operator", "values") {
			return 0, false
		}
	}
	if item.flow {
		end = closing(src, item.start)
	} else {
		end = lastOf(src, item)
	}
	if end > item.start && !seq.flow {
		at := lineStart(src, item.start)
		if string(bytes.Trim(src[at:item.start], " ")) != "-" {
			return 0, false
		}
		if i := bytes.IndexByte(src[end:], '\n'); i >= 0 {
			end += i + 1
		} else {
			end = len(src)
		}
	}
	return end, end > item.start && bytes.IndexByte(src[item.start:end], '#') < 0
}

// only reports whether a mapping has just these keys.
func only(m *node, keys ...string) bool {
	return m != nil && m.kind == mapping && len(m.keys) == len(keys) &&
		!slices.ContainsFunc(keys, func(key string) bool { k, _ := m.own(key); return k == nil })
}

// simple reports whether a tree has no anchors, aliases and texts of several lines.
func simple(n *node) bool {
	if n.alias != nil || n.anchored || n.uses != 0 || n.quote == '|' || n.quote == '>' {
		return false
	}
	return !slices.ContainsFunc(slices.Concat(n.keys, n.kids), func(kid *node) bool { return !simple(kid) })
}

// lastOf returns an offset in the last line of a tree in block style.
func lastOf(src []byte, n *node) int {
	if n.flow {
		return closing(src, n.start)
	}
	last := n.start
	for _, kid := range n.kids {
		last = max(last, lastOf(src, kid))
	}
	return last
}

// closing returns the offset behind the bracket that closes the one at an
// offset, or 0.
func closing(src []byte, at int) int {
	depth := 0
	var quote byte
	for i := at; i < len(src); i++ {
		c := src[i]
		switch {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth <= 0 {
				return i + 1
			}
		}
	}
	return 0
}
