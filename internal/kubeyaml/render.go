package kubeyaml

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/polyarch/polyarch/internal/pod"
)

// What is inserted is a small tree of strings, lists and mappings in order.
type (
	number string // an integer, which must not be quoted
	list   []any
	entry  struct {
		key   string
		value any // string, number, list or dict
	}
	dict []entry
)

// A style is how a file is written, so that what is inserted looks alike.
type style struct {
	eol  string
	step int // indentation of a mapping below its key
	seq  int // indentation of a dash below its key
	item int // from a dash to what follows it
}

// styleOf looks at a PodSpec in block style and the key it stands under.
func styleOf(src []byte, spec, parent *node) style {
	s := style{eol: "\n", step: 2, item: 2}
	if i := bytes.IndexByte(src, '\n'); i > 0 && src[i-1] == '\r' {
		s.eol = "\r\n"
	} else if i < 0 && bytes.IndexByte(src, '\r') >= 0 {
		s.eol = "\r"
	}
	if spec.flow || len(spec.keys) == 0 {
		return s
	}
	if step := spec.keys[0].col - parent.col; parent.kind == scalar && step > 0 {
		s.step = step
	}
	for i, k := range spec.keys {
		v := spec.kids[i]
		if v.kind != sequence || v.flow || v.anchored || len(v.kids) == 0 {
			continue
		}
		s.seq = max(0, v.col-k.col)
		if first := v.kids[0]; !first.flow && !first.anchored && first.line == v.line {
			s.item = max(2, first.col-v.col)
		}
		break
	}
	return s
}

// block renders entries as lines of block style, each with its line break.
func (s style) block(d dict, indent string) string {
	var b strings.Builder
	for _, e := range d {
		b.WriteString(indent + e.key + ":")
		s.below(&b, e.value, indent, indent+strings.Repeat(" ", s.seq))
	}
	return b.String()
}

// below writes what follows a key's colon: for a list, dashes at the
// indentation dash; for a mapping, entries one step deeper than indent.
func (s style) below(b *strings.Builder, v any, indent, dash string) {
	switch v := v.(type) {
	case string:
		b.WriteString(" " + plain(v) + s.eol)
	case number:
		b.WriteString(" " + string(v) + s.eol)
	case dict:
		b.WriteString(s.eol + s.block(v, indent+strings.Repeat(" ", s.step)))
	case list:
		b.WriteString(s.eol + s.items(v, dash))
	}
}

// items renders a list as lines of block style.
func (s style) items(l list, indent string) string {
	var b strings.Builder
	deeper := indent + strings.Repeat(" ", s.item)
	for _, v := range l {
		b.WriteString(indent + "-" + strings.Repeat(" ", s.item-1))
		switch v := v.(type) {
		case string:
			b.WriteString(plain(v) + s.eol)
		case dict:
			b.WriteString(s.block(v, deeper)[len(deeper):])
		}
	}
	return b.String()
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)
	reserved  = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|y|n|null)$`)
)

// plain quotes a scalar that YAML would not read as that text.
func plain(v string) string {
	if plainText.MatchString(v) && !reserved.MatchString(v) {
		return v
	}
	return quoted(v)
}

func quoted(v string) string {
	b, _ := json.Marshal(v) // a string always can
	return string(b)
}

func tolerations(ts []pod.Toleration) list {
	var l list
	for _, t := range ts {
		var d dict
		for _, e := range []entry{{"key", t.Key}, {"operator", t.Operator}, {"value", t.Value}, {"effect", t.Effect}} {
			if e.value != "" {
				d = append(d, e)
			}
		}
		l = append(l, d)
	}
	return l
}

func requirements(rs []pod.Requirement) list {
	var l list
	for _, r := range rs {
		d := dict{{"key", r.Key}, {"operator", r.Operator}}
		if len(r.Values) > 0 {
			var values list
			for _, v := range r.Values {
				values = append(values, v)
			}
			d = append(d, entry{"values", values})
		}
		l = append(l, d)
	}
	return l
}

func terms(ts []pod.Term) list {
	var l list
	for _, t := range ts {
		var d dict
		if len(t.Expressions) > 0 {
			d = append(d, entry{"matchExpressions", requirements(t.Expressions)})
		}
		if len(t.Fields) > 0 {
			d = append(d, entry{"matchFields", requirements(t.Fields)})
		}
		l = append(l, d)
	}
	return l
}
