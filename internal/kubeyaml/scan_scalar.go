package kubeyaml

import "strings"

// colon returns the offset of the colon that ends a plain key, or -1.
func (s *scanner) colon() int {
	for at := s.pos; at < s.end; at++ {
		switch s.src[at] {
		case ':':
			if at+1 == s.end || s.src[at+1] == ' ' {
				return at
			}
		case '#':
			if s.src[at-1] == ' ' {
				return -1
			}
		}
	}
	return -1
}

const maxKey = 1000 // of YAML's 1,024

// key reads a key and its colon.
func (s *scanner) key() *node {
	k := s.node(scalar)
	switch first := s.src[s.pos]; first {
	case '"', '\'':
		end := s.quoteEnd()
		k.quote, k.value = first, s.src[s.pos+1:end-1]
		if strings.IndexByte(k.value, '\\') >= 0 || strings.IndexByte(k.value, '\'') >= 0 {
			panic(unsure)
		}
		s.to(end)
	default:
		end := s.colon()
		if end <= s.pos || !plainStart(s.src[s.pos:s.end]) || s.src[end-1] == ' ' {
			panic(unsure)
		}
		k.value = s.src[s.pos:end]
		if k.value == "<<" {
			panic(unsure)
		}
		k.null = isNull(k.value)
		s.to(end)
	}
	k.end = s.pos
	if s.pos == s.end || s.src[s.pos] != ':' || s.pos+1 < s.end && s.src[s.pos+1] != ' ' || k.end-k.start > maxKey {
		panic(unsure)
	}
	s.to(s.pos + 1)
	return k
}

// plainStart reports whether a text can start a plain scalar.
func plainStart(t string) bool {
	switch t[0] {
	case ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`':
		return false
	case '-', '?', ':':
		return len(t) > 1 && t[1] != ' '
	}
	return true
}

func isNull(v string) bool {
	switch v {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}

func (s *scanner) plainScalar() *node {
	n := s.node(scalar)
	if !plainStart(s.src[s.pos:s.end]) || s.colon() >= 0 {
		panic(unsure)
	}
	end := s.end
	if i := strings.Index(s.src[s.pos:s.end], " #"); i >= 0 {
		end = s.pos + i
	}
	n.value = strings.TrimRight(s.src[s.pos:end], " ")
	n.null = isNull(n.value)
	n.end = s.pos + len(n.value)
	s.to(n.end)
	return n
}

// quoteEnd returns the offset behind the quoted scalar that starts here.
func (s *scanner) quoteEnd() int {
	q := s.src[s.pos]
	for at := s.pos + 1; at < s.end; at++ {
		switch {
		case s.src[at] == '\\' && q == '"':
			at++
		case s.src[at] == q && q == '\'' && at+1 < s.end && s.src[at+1] == q:
			at++
		case s.src[at] == q:
			return at + 1
		}
	}
	panic(unsure) // it goes on
}

func (s *scanner) quotedScalar() *node {
	n := s.node(scalar)
	n.quote = s.src[s.pos]
	n.end = s.quoteEnd()
	n.value = s.src[n.start+1 : n.end-1]
	if strings.IndexByte(n.value, '\\') >= 0 && n.quote == '"' || strings.IndexByte(n.value, '\'') >= 0 && n.quote == '\'' {
		n.value, n.encoded = s.src[n.start:n.end], true
		if _, ok := decode(n.value); !ok {
			panic(unsure)
		}
	}
	s.to(n.end)
	return n
}

// blockScalar reads a literal or folded scalar; col is that of its key or dash.
func (s *scanner) blockScalar(col int) *node {
	n := s.node(scalar)
	n.quote, n.encoded = s.src[s.pos], true
	at := s.pos + 1
	if at < s.end && s.src[at] == '-' {
		at++
	}
	s.to(at)
	s.toNextLineRaw()
	indent := -1
	n.end = at
	last := s.bol // behind the last line with text
	for s.bol < len(s.src) {
		s.lineEnd()
		text := s.bol
		for text < s.end && s.src[text] == ' ' {
			text++
		}
		if text == s.end { // blank
			if indent < 0 && text-s.bol > col+1 { // its indentation might count
				panic(unsure)
			}
			blanks := indent >= 0 && text-s.bol > indent // are text
			if blanks {
				n.end = s.end
			}
			if s.rawLine(); blanks {
				last = s.bol
			}
			continue
		}
		here := text - s.bol
		if indent < 0 && here > col && s.src[text] != '\t' {
			indent = here
		}
		if indent < 0 || here < indent {
			if here > col && s.src[text] != '#' || s.src[text] == '\t' {
				panic(unsure)
			}
			break
		}
		n.end = s.end
		s.rawLine()
		last = s.bol
	}
	n.value = s.src[n.start:last]
	s.pos = s.bol
	s.next()
	return n
}

// toNextLineRaw is toNextLine without looking for content.
func (s *scanner) toNextLineRaw() {
	rest := s.src[s.pos:s.end]
	if trimmed := strings.TrimLeft(rest, " "); trimmed != "" && (trimmed[0] != '#' || len(trimmed) == len(rest)) {
		panic(unsure)
	}
	s.rawLine()
}

// rawLine goes to the start of the next line.
func (s *scanner) rawLine() {
	s.bol = s.end
	if s.bol < len(s.src) && s.src[s.bol] == '\r' {
		s.bol++
	}
	if s.bol < len(s.src) {
		s.bol++
		s.line++
	}
}

// lineEnd finds the end of the line that starts at bol.
func (s *scanner) lineEnd() {
	s.end = len(s.src)
	if i := strings.IndexByte(s.src[s.bol:], '\n'); i >= 0 {
		s.end = s.bol + i
		if i > 0 && s.src[s.end-1] == '\r' {
			s.end--
		}
	}
}
