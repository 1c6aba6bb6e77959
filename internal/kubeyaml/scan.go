package kubeyaml

import (
	"strings"
	"unicode/utf8"
)

// scan reads what nearly all manifests are made of: block style with scalars
// and flow collections on one line, a document to a chunk. It returns false for
// everything that it is not sure of, valid or not: then parseYAML decides. A
// fuzz test holds the two to the same answers.
//
// It is here because it is 3.8 times as fast as yaml.v3, with a third of the
// memory and a hundredth of the allocations (BenchmarkScan and BenchmarkYAML),
// and since yaml.v3 does not know where nodes end. Should another parser come
// near that, scan can go: nothing depends on it.
func scan(c Chunk) (roots []*node, ok bool) { return new(scanner).scan(c) }

func (s *scanner) scan(c Chunk) (roots []*node, ok bool) {
	if !ordinary(c.Bytes) {
		return nil, false
	}
	s.src, s.line = string(c.Bytes), c.Line
	defer func() {
		if r := recover(); r != nil {
			if r != unsure {
				panic(r)
			}
			roots, ok = nil, false
		}
	}()
	s.next()
	if !s.more {
		return nil, false
	}
	if s.col == 0 && s.marker("---") {
		s.toNextLine()
		if !s.more {
			return nil, false
		}
	}
	root := s.block()
	if s.more && s.col == 0 && s.marker("...") {
		s.toNextLine()
	}
	if s.more {
		panic(unsure)
	}
	return []*node{root}, true
}

// unsure is what a scanner panics with, so as to give up from any depth; scan
// recovers from it and from nothing else.
var unsure = new(int)

// ordinary reports whether a text is UTF-8 without the characters that YAML
// refuses or treats in ways of its own.
func ordinary(b []byte) bool {
	ascii := true
	for i, x := range b {
		switch {
		case x-' ' < 0x7f-' ': // nearly all
		case x >= 0x80:
			ascii = false
		case x < ' ' && x != '\n' && x != '\t' && (x != '\r' || i+1 == len(b) || b[i+1] != '\n') || x == 0x7f:
			return false
		}
	}
	if ascii {
		return true
	}
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		switch {
		case r == utf8.RuneError && size == 1, r >= 0x80 && r <= 0xa0, r == '\u2028', r == '\u2029', r == '\uFEFF', r == 0xFFFE, r == 0xFFFF:
			return false
		}
		i += size
	}
	return true
}

// A scanner stands at the first byte of a line's content that is not read yet.
type scanner struct {
	src   string
	line  int // of pos
	bol   int // offset of the line
	pos   int
	col   int  // of pos, from 0; the indentation if nothing of the line was read
	end   int  // of the line, without its line break
	more  bool // false at the end of the chunk
	depth int

	nodes slab[node]
	lists slab[*node]
	open  []*node // children of the collections that are being read
}

const maxDepth = 200

func (s *scanner) node(k kind) *node {
	n := &s.nodes.take(1)[0]
	n.kind, n.start, n.line, n.col = k, s.pos, s.line, s.col+1
	return n
}

// next goes to the first line at or behind pos that has content.
func (s *scanner) next() {
	for at := s.pos; at < len(s.src); {
		s.bol = at
		s.end = len(s.src)
		following := len(s.src)
		if i := strings.IndexByte(s.src[at:], '\n'); i >= 0 {
			s.end, following = at+i, at+i+1
			if i > 0 && s.src[s.end-1] == '\r' {
				s.end--
			}
		}
		for at < s.end && s.src[at] == ' ' {
			at++
		}
		if at < s.end && s.src[at] != '#' {
			if strings.IndexByte(s.src[at:s.end], '\t') >= 0 || s.src[at] == '%' && at == s.bol {
				panic(unsure)
			}
			s.pos, s.col, s.more = at, at-s.bol, true
			return
		}
		at = following
		s.line++
	}
	s.pos, s.more = len(s.src), false
}

// toNextLine leaves a line of which the rest must be blank or a comment.
func (s *scanner) toNextLine() {
	rest := s.src[s.pos:s.end]
	if trimmed := strings.TrimLeft(rest, " "); trimmed != "" && (trimmed[0] != '#' || len(trimmed) == len(rest)) {
		panic(unsure)
	}
	s.skipLine()
}

func (s *scanner) skipLine() {
	s.pos = s.end
	if s.pos < len(s.src) && s.src[s.pos] == '\r' {
		s.pos++
	}
	if s.pos < len(s.src) {
		s.pos++
		s.line++
	}
	s.next()
}

// to moves within the line.
func (s *scanner) to(at int) {
	s.col += at - s.pos
	s.pos = at
}

func (s *scanner) spaces() {
	at := s.pos
	for at < s.end && s.src[at] == ' ' {
		at++
	}
	s.to(at)
}

// marker steps over a document marker, if there is one.
func (s *scanner) marker(m string) bool {
	if !strings.HasPrefix(s.src[s.pos:s.end], m) || s.pos+len(m) < s.end && s.src[s.pos+len(m)] != ' ' {
		return false
	}
	s.to(s.pos + len(m))
	return true
}

func (s *scanner) dash() bool {
	return s.src[s.pos] == '-' && (s.pos+1 == s.end || s.src[s.pos+1] == ' ')
}

// block reads the mapping or the sequence that starts here.
func (s *scanner) block() *node {
	if s.depth++; s.depth > maxDepth {
		panic(unsure)
	}
	defer func() { s.depth-- }()
	if s.dash() {
		return s.sequence()
	}
	return s.mapping()
}

func (s *scanner) mapping() *node {
	m, col, base := s.node(mapping), s.col, len(s.open)
	for s.more && s.col == col && !s.dash() && !s.documentEnd() {
		k := s.key()
		v := s.value(col, true)
		s.open = append(s.open, k, v)
		m.end = v.end
	}
	if s.more && s.col > col || len(s.open) == base {
		panic(unsure)
	}
	s.pairs(m, base)
	return m
}

// pairs makes the keys and values that are open from base on those of m.
func (s *scanner) pairs(m *node, base int) {
	kv := s.open[base:]
	m.keys, m.kids = s.list(kv[:len(kv)/2]), s.list(kv[:len(kv)/2])
	for i := range m.keys {
		m.keys[i], m.kids[i] = kv[2*i], kv[2*i+1]
	}
	s.open = s.open[:base]
}

// documentEnd reports whether a document marker is here; only one that ends
// the chunk's document is looked at further.
func (s *scanner) documentEnd() bool {
	rest := s.src[s.pos:s.end]
	return s.col == 0 && s.pos == s.bol && (strings.HasPrefix(rest, "...") || strings.HasPrefix(rest, "---"))
}

func (s *scanner) sequence() *node {
	q, col, base := s.node(sequence), s.col, len(s.open)
	for s.more && s.col == col && s.dash() && !s.documentEnd() {
		dash := s.pos + 1
		s.to(dash)
		s.spaces()
		var v *node
		switch {
		case s.pos == s.end || s.src[s.pos] == '#' || !s.startsBlock():
			if s.pos < s.end {
				v = s.inline(col)
				break
			}
			s.to(dash)
			v = s.below(col, false)
		default:
			v = s.block()
		}
		s.open = append(s.open, v)
		q.end = v.end
	}
	if s.more && s.col > col {
		panic(unsure)
	}
	q.kids = s.list(s.open[base:])
	s.open = s.open[:base]
	return q
}

// startsBlock reports whether what follows a dash on its line is a mapping or
// another sequence.
func (s *scanner) startsBlock() bool {
	switch s.src[s.pos] {
	case '"', '\'':
		end := s.quoteEnd()
		return end < s.end && s.src[end] == ':'
	case '{', '[', '|', '>', '&', '*', '!', '?', '@', '`', '%', ',', ']', '}':
		return false
	case '-':
		if s.dash() {
			return true
		}
	}
	return s.colon() >= 0
}

// value reads what follows a key's colon.
func (s *scanner) value(col int, inMapping bool) *node {
	after := s.pos
	s.spaces()
	if s.pos == s.end || s.src[s.pos] == '#' {
		s.to(after)
		return s.below(col, inMapping)
	}
	return s.inline(col)
}

// below reads a value that starts on a later line: pos is behind the colon or
// the dash. A sequence may stand at the indentation of its key.
func (s *scanner) below(col int, inMapping bool) *node {
	null := s.node(scalar)
	null.null, null.end = true, s.pos
	s.toNextLine()
	switch {
	case s.more && s.documentEnd():
		return null
	case s.more && s.col > col, s.more && inMapping && s.col == col && s.dash():
		return s.lower()
	}
	return null
}

// lower reads a value on a line of its own: a collection, since a scalar there
// may go on.
func (s *scanner) lower() *node {
	switch s.src[s.pos] {
	case '{', '[', '|', '>', '&', '*', '!', '?', '@', '`', '%':
		panic(unsure)
	}
	return s.block()
}

// inline reads a value that starts on the line of its key or dash, whose
// column is col.
func (s *scanner) inline(col int) *node {
	var n *node
	switch s.src[s.pos] {
	case '|', '>':
		return s.blockScalar(col)
	case '{', '[':
		n = s.flow(0)
		s.toNextLine()
	case '"', '\'':
		n = s.quotedScalar()
		s.toNextLine()
	default:
		n = s.plainScalar()
		s.toNextLine()
	}
	if s.more && s.col > col { // it goes on
		panic(unsure)
	}
	return n
}
