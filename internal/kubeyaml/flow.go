package kubeyaml

import (
	"bytes"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

// A flowStyle is how a mapping or list in flow style is written: YAML's, JSON's
// or KYAML's.
type flowStyle struct {
	quoteKeys, quoteText bool
	colon, comma         string
	multiline            bool // entries on lines of their own
	cuddle               bool // [{ and }, { on one line, as KYAML has it
	eol, indent, step    string
}

// flowStyleOf looks at a collection, and at those around it if it is empty.
func (w *Workload) flowStyleOf(n *node) flowStyle {
	src := w.doc.chunk.Bytes
	f := flowStyle{colon: ": ", comma: ", ", eol: w.style.eol, step: "  "}
	for _, m := range []*node{w.obj, w.pod} {
		if m.flow && len(m.keys) > 0 {
			f = w.quoting(f, m)
			f.multiline, f.indent, f.step = w.layout(m, m.keys[0])
		}
	}
	open := n.content(src)
	f.indent = w.indentation(open)
	switch {
	case len(n.keys) > 0:
		f = w.quoting(f, n)
		f.multiline, f.indent, f.step = w.layout(n, n.keys[0])
	case len(n.kids) > 0:
		first := n.kids[0]
		f.multiline, f.indent, f.step = w.layout(n, first)
		if !f.multiline && first.kind == mapping && len(first.keys) > 0 && first.keys[0].line > first.line {
			f.cuddle, f.multiline = true, true
			_, f.indent, f.step = w.layout(first, first.keys[0])
			f.indent = strings.TrimSuffix(f.indent, f.step)
		}
	}
	if f.multiline && !f.quoteKeys {
		f.cuddle = true
	}
	return f
}

// quoting looks at the keys and texts of a mapping.
func (w *Workload) quoting(f flowStyle, m *node) flowStyle {
	src := w.doc.chunk.Bytes
	k := m.keys[0]
	f.quoteKeys = k.quote == '"'
	f.quoteText = f.quoteKeys || w.quoted
	if end := k.start + len(k.value) + 2; f.quoteKeys && bytes.HasPrefix(src[min(end, len(src)):], []byte(":")) && end+1 < len(src) && src[end+1] != ' ' {
		f.colon, f.comma = ":", ","
	}
	return f
}

// layout says whether the first child of a collection stands on a line of its
// own, with what indentation, and what that is deeper than the collection's line.
func (w *Workload) layout(n, first *node) (multiline bool, indent, step string) {
	src := w.doc.chunk.Bytes
	outer := w.indentation(n.content(src))
	before := src[w.doc.lineStart(first.start):first.start]
	if first.line == n.line || len(bytes.TrimLeft(before, " \t")) > 0 {
		return false, outer, "  "
	}
	indent = string(before)
	if step = strings.TrimPrefix(indent, outer); step == "" || len(step) == len(indent) && outer != "" {
		step = "  "
	}
	return true, indent, step
}

// indentation returns the white space at the start of the line of an offset.
func (w *Workload) indentation(at int) string {
	line := w.doc.chunk.Bytes[w.doc.lineStart(at):]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// flowEntries puts entries before the others of a mapping in flow style.
func (w *Workload) flowEntries(m *node, d dict) error {
	src := w.doc.chunk.Bytes
	f := w.flowStyleOf(m)
	open := m.content(src) + 1
	return w.flowInsert(m, open, len(m.keys) == 0, f, func(f flowStyle) string {
		var parts []string
		for _, e := range d {
			parts = append(parts, f.entry(e))
		}
		if f.multiline {
			return strings.Join(parts, ","+f.eol+f.indent)
		}
		return strings.Join(parts, f.comma)
	})
}

// flowItems puts items before the others of a list in flow style.
func (w *Workload) flowItems(seq *node, l list) error {
	src := w.doc.chunk.Bytes
	f := w.flowStyleOf(seq)
	open := seq.content(src) + 1
	for i := len(l) - 1; i > 0; i-- { // one at a time keeps the separators simple
		if err := w.flowInsert(seq, open, false, f, func(f flowStyle) string { return f.value(l[len(l)-1-i]) }); err != nil {
			return err
		}
	}
	return w.flowInsert(seq, open, len(seq.kids) == 0, f, func(f flowStyle) string { return f.value(l[len(l)-1]) })
}

// flowInsert puts what render gives behind an opening bracket.
func (w *Workload) flowInsert(n *node, open int, empty bool, f flowStyle, render func(flowStyle) string) error {
	src := w.doc.chunk.Bytes
	switch {
	case empty && f.multiline && !f.cuddle && bytes.HasPrefix(src[open:], []byte{src[open-1] + 2}): // {} or []
		outer := f.indent
		f.indent += f.step
		w.doc.edit(n, open, 0, f.eol+f.indent+render(f)+f.eol+outer)
	case empty:
		w.doc.edit(n, open, 0, render(f))
	case f.multiline && len(n.kids) > 0 && n.firstChild().line > n.line:
		at := w.doc.lineStart(n.firstChild().start)
		w.doc.edit(n, aboveComments(src, at, at), 0, f.indent+render(f)+","+f.eol)
	default:
		w.doc.edit(n, open, 0, render(f)+f.comma)
	}
	return nil
}

// flowFill puts a value in the place of a null that is written out.
func (w *Workload) flowFill(m, null *node, v any) error {
	if null.value == "" {
		return exit.Failf("a key without a value has to get one").OnLine(null.line, null.col).
			Hint("remove the key, or give it the value null")
	}
	f := w.flowStyleOf(m)
	w.doc.edit(null, null.start, len(null.value), f.value(v))
	return nil
}

func (n *node) firstChild() *node {
	if len(n.keys) > 0 {
		return n.keys[0]
	}
	return n.kids[0]
}

func (f flowStyle) entry(e entry) string {
	key := e.key
	if f.quoteKeys {
		key = quoted(key)
	}
	return key + f.colon + f.value(e.value)
}

// value renders a value whose first line starts at the style's indentation.
func (f flowStyle) value(v any) string {
	deeper := f
	deeper.indent += f.step
	var parts []string
	switch v := v.(type) {
	case string:
		if f.quoteText {
			return quoted(v)
		}
		return plain(v)
	case number:
		return string(v)
	case dict:
		for _, e := range v {
			parts = append(parts, deeper.entry(e))
		}
		return f.bracket("{", parts, "}", f.multiline)
	case list:
		if f.multiline && f.cuddle {
			for _, item := range v {
				parts = append(parts, f.value(item))
			}
			return f.bracket("[", parts, "]", false)
		}
		for _, item := range v {
			parts = append(parts, deeper.value(item))
		}
		return f.bracket("[", parts, "]", f.multiline)
	}
	return ""
}

func (f flowStyle) bracket(open string, parts []string, end string, multiline bool) string {
	if !multiline {
		return open + strings.Join(parts, f.comma) + end
	}
	inner := f.eol + f.indent + f.step
	s := open + inner + strings.Join(parts, ","+inner)
	if f.cuddle {
		s += ","
	}
	return s + f.eol + f.indent + end
}
