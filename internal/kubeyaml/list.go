package kubeyaml

import (
	"bytes"
	"regexp"
)

// An itemSplitter cuts the items of a list. With n = 0, more says whether it
// has to see more, or the list has ended.
type itemSplitter interface {
	cut(buf []byte, eof bool) (n int, more bool)
}

// maxHead is how far into a document its items must begin to be taken apart.
const maxHead = 64 << 10

// openList looks whether a document is a list whose items can be read one by
// one, and returns the length of what stands before them, or 0. What kubectl
// prints is such a list: of the keys beside the items none matters to them.
func (s *splitter) openList(buf []byte) int {
	if s.json != nil {
		return s.openJSON(buf)
	}
	return s.openYAML(buf)
}

// openJSON finds "items": [ in the outermost object.
func (s *splitter) openJSON(buf []byte) int {
	depth, quoted, start := 0, false, 0
	for i := 0; i < min(len(buf), maxHead); i++ {
		c := buf[i]
		switch {
		case quoted && c == '\\':
			i++
		case c == '"' && quoted:
			quoted = false
			if depth != 1 || string(buf[start:i]) != "items" {
				continue
			}
			rest := bytes.TrimLeft(buf[i+1:], " \t\r\n")
			if !bytes.HasPrefix(rest, []byte(":")) {
				continue
			}
			rest = bytes.TrimLeft(rest[1:], " \t\r\n")
			if !bytes.HasPrefix(rest, []byte("[")) {
				return 0
			}
			n := len(buf) - len(rest) + 1
			head := Chunk{Bytes: append(bytes.Clone(buf[:n]), "]}"...), Line: 1}
			from, ok := startsJSON(head.Bytes)
			if !ok {
				return 0
			}
			if roots, err := parseJSON(head, from); err == nil && s.isList(roots) {
				s.items = &jsonItems{}
				return n
			}
			return 0
		case quoted:
		case c == '"':
			quoted, start = true, i+1
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		}
	}
	return 0
}

var itemsKey = regexp.MustCompile(`(?m)^items:[ \t]*(?:#.*)?\r?\n`)

// openYAML finds items: at the left margin, with dashes below it.
func (s *splitter) openYAML(buf []byte) int {
	at := itemsKey.FindIndex(buf[:min(len(buf), maxHead)])
	if at == nil {
		return 0
	}
	n := at[1]
	indent := -1
	for line := range bytes.Lines(buf[n:]) {
		text := bytes.TrimLeft(line, " ")
		if len(bytes.TrimSpace(text)) == 0 || text[0] == '#' {
			continue
		}
		if text[0] == '-' && !bytes.HasPrefix(text, []byte("---")) {
			indent = len(line) - len(text)
		}
		break
	}
	if indent < 0 {
		return 0
	}
	if roots, err := parseYAML(Chunk{Bytes: buf[:n], Line: 1}); err != nil || !s.isList(roots) {
		return 0
	}
	s.items = &yamlItems{indent: indent}
	return n
}

// isList takes kind and API version from what stands before the items. A
// function's input is read whole, since the results go before its items.
func (s *splitter) isList(roots []*node) bool {
	if len(roots) != 1 || roots[0].kind != mapping || isResourceList(roots[0]) {
		return false
	}
	seen := 0
	for _, k := range roots[0].keys {
		if k.isMerge() || k.is("containers") || k.is("spec") || k.is("template") {
			return false
		}
		if k.is("items") {
			seen++
		}
	}
	s.list = List{APIVersion: roots[0].text("apiVersion")}
	if kind := roots[0].text("kind"); len(kind) > len("List") {
		s.list.Kind = kind[:len(kind)-len("List")]
	}
	return seen == 1
}

// jsonItems cuts behind each item; the comma before an item belongs to it.
type jsonItems struct {
	seen   int
	depth  int
	quoted bool
}

func (s *jsonItems) cut(buf []byte, eof bool) (n int, more bool) {
	for ; s.seen < len(buf); s.seen++ {
		c := buf[s.seen]
		switch {
		case s.quoted && c == '\\':
			if s.seen+1 == len(buf) && !eof {
				return 0, true
			}
			s.seen++
		case c == '"':
			s.quoted = !s.quoted
		case s.quoted:
		case c == '{', c == '[':
			s.depth++
		case c == ']' && s.depth == 0:
			return 0, false
		case c == '}', c == ']':
			if s.depth--; s.depth == 0 {
				n, s.seen = s.seen+1, 0
				return n, true
			}
		}
	}
	s.seen = min(s.seen, len(buf))
	if eof {
		return 0, false // the end is missing, which the parser says
	}
	return 0, true
}

// yamlItems cuts before each dash of the list's indentation. A line that stands
// further to the left, or there without a dash, ends the list.
type yamlItems struct {
	indent int
	seen   int // start of the first line that was not looked at
	inside bool
}

func (s *yamlItems) cut(buf []byte, eof bool) (n int, more bool) {
	for s.seen < len(buf) {
		end := bytes.IndexByte(buf[s.seen:], '\n')
		if end < 0 && !eof {
			return 0, true
		}
		line := buf[s.seen:]
		if end >= 0 {
			line = line[:end+1]
		}
		text := bytes.TrimLeft(line, " ")
		column := len(line) - len(text)
		if len(bytes.TrimSpace(text)) > 0 && text[0] != '#' && column <= s.indent {
			dash := column == s.indent && text[0] == '-' && (len(text) == 1 || bytes.IndexByte([]byte(" \t\r\n"), text[1]) >= 0)
			at := s.seen
			switch {
			case s.inside && at > 0: // the item before it ends here
				s.inside, s.seen = false, 0
				return at, true
			case !dash:
				return 0, false
			}
			s.inside = true
		}
		s.seen += len(line)
	}
	if !eof {
		return 0, true
	}
	if s.inside {
		s.seen, s.inside = 0, false
		return len(buf), true
	}
	return 0, false
}
