package manifest

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/pod"
)

// Affinity writes terms where the PodSpec has no required node affinity, and
// adds requirements to the terms it has: existing has for each of them the
// forms it is to take, as affinity.Change has them.
func (w *Workload) Affinity(fresh []pod.Term, existing [][][]pod.Requirement) error {
	if len(fresh) > 0 {
		return w.ensure(w.pod, terms(fresh), "affinity", "nodeAffinity", requiredKey, termsKey)
	}
	if len(existing) == 0 {
		return nil
	}
	ts := child(child(child(child(w.pod, "affinity"), "nodeAffinity"), requiredKey), termsKey)
	var copies []pod.Term
	for i, forms := range existing {
		if len(forms) == 0 {
			continue
		}
		for _, add := range forms[:len(forms)-1] {
			t := w.Spec.Terms[i]
			t.Expressions = slices.Concat(add, t.Expressions)
			copies = append(copies, t)
		}
		if add := forms[len(forms)-1]; len(add) > 0 {
			if err := w.prepend(ts.kids[i].resolve(), "matchExpressions", requirements(add)); err != nil {
				return err
			}
		}
	}
	if len(copies) == 0 {
		return nil
	}
	return w.insertItems(ts, terms(copies))
}

// ensure sets the value at the end of a path of keys, of which the last ones
// are missing.
func (w *Workload) ensure(m *node, v any, path ...string) error {
	k, next := m.get(path[0])
	if len(path) > 1 && next != nil && !next.resolve().null {
		return w.ensure(next.resolve(), v, path[1:]...)
	}
	for i := len(path) - 1; i > 0; i-- {
		v = dict{{path[i], v}}
	}
	if next != nil {
		return w.fill(k, next, v)
	}
	return w.insertEntry(m, entry{path[0], v})
}

// prepend puts items at the front of the list under a key.
func (w *Workload) prepend(m *node, key string, l list) error {
	k, v := m.get(key)
	switch {
	case v == nil:
		return w.insertEntry(m, entry{key, l})
	case v.resolve().null:
		return w.fill(k, v, l)
	}
	return w.insertItems(v.resolve(), l)
}

// insertEntry puts an entry before the first key of a mapping, or before the
// second one where the first shares its line with a dash: then only whole
// lines are added.
func (w *Workload) insertEntry(m *node, e entry) error {
	if err := editable(m); err != nil {
		return err
	}
	src := w.doc.chunk.Bytes
	first := m.keys[0]
	indent := strings.Repeat(" ", first.col-1)
	text := w.style.block(dict{e}, indent)
	if at := lineStart(src, first.start); blank(src[at:first.start]) {
		w.edit(aboveComments(src, at, -1), 0, text)
		return nil
	}
	if len(m.keys) > 1 {
		second := m.keys[1].start
		if at := lineStart(src, second); blank(src[at:second]) {
			w.edit(aboveComments(src, at, second-at), 0, text)
			return nil
		}
	}
	w.edit(first.start, 0, strings.TrimPrefix(text, indent)+indent)
	return nil
}

// insertItems puts items before the first one of a list.
func (w *Workload) insertItems(seq *node, l list) error {
	if err := editable(seq); err != nil {
		return err
	}
	src := w.doc.chunk.Bytes
	indent := strings.Repeat(" ", seq.col-1)
	text := w.style.items(l, indent)
	if at := lineStart(src, seq.start); blank(src[at:seq.start]) {
		w.edit(aboveComments(src, at, -1), 0, text)
		return nil
	}
	w.edit(seq.start, 0, strings.TrimPrefix(text, indent)+indent)
	return nil
}

// fill gives a value to a key that has none, or null.
func (w *Workload) fill(k, null *node, v any) error {
	if null.alias != nil || null.anchored || k.shared {
		return exit.Failf("line %d: %s is null by an anchor, an alias or a tag", k.line, k.value).At("", k.line, k.col).
			Hint("write it out, or remove the key")
	}
	src := w.doc.chunk.Bytes
	colon := k.start + bytes.IndexByte(src[k.start:], ':') + 1
	if end := null.start + len(null.value); null.value != "" && end <= len(src) {
		w.edit(colon, end-colon, "")
	}
	var b strings.Builder
	indent := strings.Repeat(" ", k.col-1)
	w.style.below(&b, v, indent, indent+strings.Repeat(" ", w.style.seq))
	text := strings.TrimPrefix(b.String(), w.style.eol)
	if i := bytes.IndexAny(src[colon:], "\r\n"); i >= 0 {
		next := colon + i + 1
		if src[next-1] == '\r' && next < len(src) && src[next] == '\n' {
			next++
		}
		w.edit(next, 0, text)
		return nil
	}
	w.edit(len(src), 0, w.style.eol+strings.TrimSuffix(text, w.style.eol))
	return nil
}

var reference = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$`)

// SetImage replaces the image of Spec.Containers[i].
func (w *Workload) SetImage(i int, ref string) error {
	n := w.images[i]
	if !reference.MatchString(ref) {
		return exit.Failf("line %d: %q is no image reference", n.line, ref)
	}
	src := w.doc.chunk.Bytes
	start, end := n.start, n.start+len(n.value)
	if n.quote == '"' || n.quote == '\'' {
		start, end = start+1, end+1
	}
	if n.alias != nil || n.anchored || n.shared || end > len(src) || string(src[start:end]) != n.value {
		return exit.Failf("line %d: the image %s is written with an anchor, an alias, a tag or over several lines", n.line, n.resolve().value).At("", n.line, n.col).
			Hint("write it out on one line")
	}
	w.edit(start, end-start, ref)
	return nil
}

func (w *Workload) edit(at, del int, text string) {
	w.doc.edits = append(w.doc.edits, Edit{at, del, text})
}

// editable refuses places where an insertion would not be what it seems.
func editable(n *node) error {
	switch {
	case n.shared:
		return exit.Failf("line %d: what has to change here is repeated elsewhere by an alias", n.line).At("", n.line, n.col).
			Hint("write it out instead of using an anchor and an alias")
	case n.flow:
		return exit.Failf("line %d: a mapping or list in flow style ({} or []) has to change, which is not supported yet", n.line).At("", n.line, n.col).
			Hint("write it in block style")
	}
	return nil
}

func lineStart(src []byte, at int) int {
	return bytes.LastIndexAny(src[:at], "\r\n") + 1
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
