package kubeyaml

import (
	"bytes"
	"slices"
	"sync"

	"github.com/polyarch/polyarch/internal/exit"
)

// A change is what an edit does to a node.
type change struct {
	kind  changeKind
	value any // of replace: string; of fill: a tree; of add: dict; of prepend: list
}

type changeKind uint8

const (
	replace changeKind = iota // a scalar, or an alias, by a text
	fill                      // null by a tree
	add                       // entries to a mapping, anywhere in it
	prepend                   // items to a list
	drop                      // of an item of a list
)

// plan notes what edits are to do to a node, once for all that share it.
func (d *Document) plan(n *node, c change) {
	if d.planned == nil {
		d.planned = map[*node][]change{}
	}
	if n.uses != 0 && slices.ContainsFunc(d.planned[n], func(o change) bool { return o.kind == c.kind }) && c.kind != add {
		return
	}
	if n.uses != 0 && c.kind == add && slices.ContainsFunc(d.planned[n], func(o change) bool { return o.kind == add && o.value.(dict)[0].key == c.value.(dict)[0].key }) {
		return
	}
	d.planned[n] = append(d.planned[n], c)
}

// verify reads the edited document again: it must be the old one with the
// planned changes, and nothing else.
func (d *Document) verify() error {
	size := len(d.chunk.Bytes)
	for _, e := range d.edits {
		size += len(e.Text)
	}
	b := bytes.NewBuffer(make([]byte, 0, size))
	if err := d.chunk.Apply(b, d.edits); err != nil {
		return err
	}
	c := d.chunk
	c.Bytes = b.Bytes()
	if small(c) != nil {
		return exit.Failf("with what is added, this document would have more than %d values or %d MiB", maxParsed, maxRead>>20).OnLine(c.Line, 0).
			Hint("split it into several documents")
	}
	roots, done, err := reread(c)
	defer done()
	same := err == nil && len(roots) == len(d.roots)
	for i := 0; same && i < len(roots); i++ {
		same = d.became(d.roots[i], roots[i])
	}
	if same {
		return nil
	}
	line := d.chunk.Line
	what := "the document"
	if len(d.Workloads) > 0 {
		w := d.Workloads[0]
		line, what = w.Line, w.Kind+" "+w.Name
	}
	return exit.Failf("%s is written in a way that cannot be edited", what).OnLine(line, 0).
		Hint("write it in plain block style; yq -i . FILE does")
}

// scanners read edited documents, whose nodes nobody keeps.
var scanners = sync.Pool{New: func() any {
	return &scanner{nodes: slab[node]{keeps: true}, lists: slab[*node]{keeps: true}}
}}

const maxKept = 256 // blocks of a scanner that is used again

// reread is parse; the nodes are gone once done was called.
func reread(c Chunk) (roots []*node, done func(), err error) {
	if _, json := startsJSON(c.Bytes); json {
		roots, err = parse(c)
		return roots, func() {}, err
	}
	s := scanners.Get().(*scanner)
	done = func() {
		if s.nodes.used > maxKept || s.lists.used > maxKept || cap(s.open) > maxKept*blockLen {
			return
		}
		s.nodes.reset()
		s.lists.reset()
		clear(s.open[:cap(s.open)])
		*s = scanner{nodes: s.nodes, lists: s.lists, open: s.open[:0]}
		scanners.Put(s)
	}
	roots, ok := s.scan(c)
	if !ok {
		roots, err = parseYAML(c)
	}
	return roots, done, err
}

// became reports whether a node of the old document is now what was planned.
func (d *Document) became(old, now *node) bool {
	var entries dict
	var items list
	for _, c := range d.planned[old] {
		switch c.kind {
		case replace:
			return now.kind == scalar && now.alias == nil && now.str() == c.value
		case fill:
			return is(now, c.value)
		case add:
			entries = append(entries, c.value.(dict)...)
		case prepend:
			items = append(c.value.(list)[:len(c.value.(list)):len(c.value.(list))], items...)
		}
	}
	if (old.alias == nil) != (now.alias == nil) || old.kind != now.kind {
		return false
	}
	switch old.kind {
	case scalar:
		text := old.value == now.value
		if old.encoded != now.encoded { // one of them was read by another parser
			text = old.str() == now.str()
		}
		return text && old.quote == now.quote && old.null == now.null
	case sequence:
		kids := old.kids
		if slices.ContainsFunc(kids, d.drops) {
			kids = slices.DeleteFunc(slices.Clone(kids), d.drops)
		}
		if len(now.kids) != len(kids)+len(items) {
			return false
		}
		for i, v := range items {
			if !is(now.kids[i], v) {
				return false
			}
		}
		for i, kid := range kids {
			if !d.became(kid, now.kids[len(items)+i]) {
				return false
			}
		}
		return true
	}
	at := 0
	for i, k := range now.keys {
		if e := slices.IndexFunc(entries, func(e entry) bool { return k.is(e.key) }); e >= 0 {
			if !is(now.kids[i], entries[e].value) {
				return false
			}
			entries = slices.Delete(slices.Clone(entries), e, e+1)
			continue
		}
		if at == len(old.keys) || !d.became(old.keys[at], k) || !d.became(old.kids[at], now.kids[i]) {
			return false
		}
		at++
	}
	return at == len(old.keys) && len(entries) == 0
}

// drops reports whether an item of a list is to go.
func (d *Document) drops(item *node) bool {
	return len(d.planned) > 0 && slices.ContainsFunc(d.planned[item], func(c change) bool { return c.kind == drop })
}

// is reports whether a node is a tree as it was to be inserted.
func is(n *node, tree any) bool {
	switch v := tree.(type) {
	case string:
		return n.kind == scalar && n.alias == nil && !n.null && n.str() == v
	case number:
		return n.kind == scalar && n.quote == 0 && n.value == string(v)
	case list:
		if n.kind != sequence || len(n.kids) != len(v) {
			return false
		}
		for i := range v {
			if !is(n.kids[i], v[i]) {
				return false
			}
		}
		return true
	case dict:
		if n.kind != mapping || len(n.keys) != len(v) {
			return false
		}
		for i, e := range v {
			if !n.keys[i].is(e.key) || !is(n.kids[i], e.value) {
				return false
			}
		}
		return true
	}
	return false
}
