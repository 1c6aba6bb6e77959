package kubeyaml

import "strings"

// flow reads a collection in flow style that ends on its line.
func (s *scanner) flow(depth int) *node {
	if depth > maxDepth {
		panic(unsure)
	}
	n, base := s.node(mapping), len(s.open)
	n.flow = true
	end := byte('}')
	if s.src[s.pos] == '[' {
		n.kind, end = sequence, ']'
	}
	s.to(s.pos + 1)
	for first := true; ; first = false {
		s.spaces()
		if first && s.at(end) {
			break
		}
		if n.kind == mapping {
			k := s.flowScalar()
			if k.encoded || k.end-k.start > maxKey || k.quote == 0 && (k.value == "<<" || k.value == "") {
				panic(unsure)
			}
			s.open = append(s.open, k)
			if !s.at(':') || s.pos+1 == s.end || s.src[s.pos+1] != ' ' {
				panic(unsure)
			}
			s.to(s.pos + 1)
			s.spaces()
		}
		switch {
		case s.at('{'), s.at('['):
			s.open = append(s.open, s.flow(depth+1))
		default:
			v := s.flowScalar()
			if s.at(':') || v.quote == 0 && v.value == "" {
				panic(unsure)
			}
			s.open = append(s.open, v)
		}
		s.spaces()
		if s.at(end) {
			break
		}
		if !s.at(',') {
			panic(unsure)
		}
		s.to(s.pos + 1)
	}
	if n.kind == mapping {
		s.pairs(n, base)
	} else {
		n.kids = s.list(s.open[base:])
		s.open = s.open[:base]
	}
	s.to(s.pos + 1)
	n.end = s.pos
	if s.at(':') {
		panic(unsure)
	}
	return n
}

func (s *scanner) at(b byte) bool { return s.pos < s.end && s.src[s.pos] == b }

func (s *scanner) flowScalar() *node {
	if s.at('"') || s.at('\'') {
		return s.quotedScalar()
	}
	n := s.node(scalar)
	if s.pos == s.end || !plainStart(s.src[s.pos:s.end]) || s.src[s.pos] == ':' || s.src[s.pos] == '?' || s.src[s.pos] == '-' {
		panic(unsure)
	}
	at := s.pos
loop:
	for ; at < s.end; at++ {
		switch s.src[at] {
		case ',', '[', ']', '{', '}':
			break loop
		case ':':
			if at+1 == s.end || strings.IndexByte(" ,[]{}", s.src[at+1]) >= 0 {
				break loop
			}
		case '#', '?':
			panic(unsure)
		}
	}
	n.value = strings.TrimRight(s.src[s.pos:at], " ")
	n.null = isNull(n.value)
	n.end = s.pos + len(n.value)
	s.to(at)
	if at == s.end || len(n.value) != at-n.start && s.src[at] == ':' {
		panic(unsure)
	}
	return n
}
