package kubeyaml

import (
	"bytes"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

// ensure sets the value at the end of a path of keys, of which the last ones
// are missing.
func (w *Workload) ensure(m *node, v any, path ...string) error {
	last := len(path) - 1
	return w.entries(dict{{path[last], v}}, m, path[:last]...)
}

// entries adds entries to the mapping at the end of a path of keys, of which
// the last ones may be missing.
func (w *Workload) entries(d dict, m *node, path ...string) error {
	if len(path) == 0 {
		return w.setAll(m, d)
	}
	if k, next := m.get(path[0]); next != nil && !next.resolve().null {
		return w.entries(d, next.resolve(), path[1:]...)
	} else {
		var v any = d
		for i := len(path) - 1; i > 0; i-- {
			v = dict{{path[i], v}}
		}
		return w.set(m, k, next, entry{path[0], v})
	}
}

// setAll gives a mapping entries that it lacks, or that are null.
func (w *Workload) setAll(m *node, d dict) error {
	var absent dict
	for _, e := range d {
		k, v := m.get(e.key)
		if v == nil {
			absent = append(absent, e)
			continue
		}
		if err := w.set(m, k, v, e); err != nil {
			return err
		}
	}
	if len(absent) == 0 {
		return nil
	}
	return w.insertEntries(m, absent)
}

// prepend puts items at the front of the list under a key.
func (w *Workload) prepend(m *node, key string, l list) error {
	k, v := m.get(key)
	if v == nil || v.resolve().null {
		return w.set(m, k, v, entry{key, l})
	}
	return w.insertItems(v.resolve(), l)
}

// set returns a mapping an entry that it lacks, or that is null: k and null are
// what it has.
func (w *Workload) set(m, k, null *node, e entry) error {
	if null == nil {
		return w.insertEntries(m, dict{e})
	}
	if own, _ := m.own(e.key); own == nil {
		return exit.Failf("%s is null by a merge key", e.key).OnLine(k.line, k.col).Hint("write it out")
	}
	return w.fill(m, k, null, e.value)
}

// insertEntries puts entries before the first key of a mapping; where that
// shares its line with a dash, before the second one or behind the mapping, so
// that only whole lines are added.
func (w *Workload) insertEntries(m *node, d dict) error {
	w.doc.plan(m, change{add, d})
	if m.flow {
		return w.flowEntries(m, d)
	}
	src := w.doc.chunk.Bytes
	first := m.keys[0]
	indent := strings.Repeat(" ", first.col-1)
	text := w.style.block(d, indent)
	if at := w.doc.lineStart(first.start); blank(src[at:first.start]) {
		w.doc.edit(m, aboveComments(src, at, -1), 0, text)
		return nil
	}
	if len(m.keys) > 1 {
		second := m.keys[1].start
		if at := w.doc.lineStart(second); blank(src[at:second]) {
			w.doc.edit(m, aboveComments(src, at, second-at), 0, text)
			return nil
		}
	}
	if m.end > 0 {
		w.below(m, m.end, text)
		return nil
	}
	w.doc.edit(m, first.start, 0, strings.TrimPrefix(text, indent)+indent)
	return nil
}

// below puts lines below the line of an offset.
func (w *Workload) below(n *node, at int, text string) {
	src := w.doc.chunk.Bytes
	i := bytes.IndexAny(src[at:], "\r\n")
	if i < 0 {
		w.doc.edit(n, len(src), 0, w.style.eol+strings.TrimSuffix(text, w.style.eol))
		return
	}
	next := at + i + 1
	if src[next-1] == '\r' && next < len(src) && src[next] == '\n' {
		next++
	}
	w.doc.edit(n, next, 0, text)
}

// insertItems puts items before the first one of a list.
func (w *Workload) insertItems(seq *node, l list) error {
	w.doc.plan(seq, change{prepend, l})
	if seq.flow {
		return w.flowItems(seq, l)
	}
	src := w.doc.chunk.Bytes
	start := seq.content(src)
	at := w.doc.lineStart(start)
	indent := strings.Repeat(" ", start-at)
	text := w.style.items(l, indent)
	if blank(src[at:start]) {
		w.doc.edit(seq, aboveComments(src, at, -1), 0, text)
		return nil
	}
	w.doc.edit(seq, start, 0, strings.TrimPrefix(text, indent)+indent)
	return nil
}

// fill returns a value to a key that has none, or null.
func (w *Workload) fill(m, k, null *node, v any) error {
	if null.alias != nil || null.anchored {
		return exit.Failf("%s is null by an anchor, an alias or a tag", k.value).OnLine(k.line, k.col).
			Hint("write it out, or remove the key")
	}
	w.doc.plan(null, change{fill, v})
	src := w.doc.chunk.Bytes
	if m.flow {
		return w.flowFill(m, null, v)
	}
	colon := k.start + bytes.IndexByte(src[k.start:], ':') + 1
	if end := null.start + len(null.value); null.value != "" {
		w.doc.edit(k, colon, end-colon, "")
	}
	var b strings.Builder
	indent := strings.Repeat(" ", k.col-1)
	w.style.below(&b, v, indent, indent+strings.Repeat(" ", w.style.seq))
	w.below(k, colon, strings.TrimPrefix(b.String(), w.style.eol))
	return nil
}

// lineStart returns the offset of the line that an offset is on.
func lineStart(src []byte, at int) int {
	return bytes.LastIndexAny(src[:at], "\r\n") + 1
}

// lineStart is that of the document, whose lines may be long, for many offsets.
func (d *Document) lineStart(at int) int {
	if d.lines == nil {
		d.lines = []int{0}
		for i, c := range d.chunk.Bytes {
			if c == '\n' || c == '\r' {
				d.lines = append(d.lines, i+1)
			}
		}
	}
	n, found := slices.BinarySearch(d.lines, at)
	if !found {
		n--
	}
	return d.lines[n]
}

func blank(b []byte) bool { return len(bytes.Trim(b, " ")) == 0 }

// aboveComments moves the start of a line up over the comment lines that
// belong to it: those of the same indentation, or with indent -1, where
// nothing but comments can stand, all of them and blank lines too.
func aboveComments(src []byte, at, indent int) int {
	for at > 0 {
		end := at - 1
		if src[end] == '\n' && end > 0 && src[end-1] == '\r' {
			end--
		}
		above := lineStart(src, end)
		text := bytes.TrimLeft(src[above:end], " ")
		switch comment := len(text) > 0 && text[0] == '#'; {
		case comment && (indent < 0 || end-above-len(text) == indent):
		case indent < 0 && len(bytes.TrimRight(text, " \t")) == 0:
		default:
			return at
		}
		at = above
	}
	return at
}
