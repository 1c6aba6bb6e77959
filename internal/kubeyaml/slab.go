package kubeyaml

// A slab makes values in blocks, since a document has many small nodes and an
// allocation for each of them costs more than reading it.
type slab[T any] struct{ rest []T }

const blockLen = 128 // values in a block

// take returns n zero values.
func (s *slab[T]) take(n int) []T {
	if n > len(s.rest) {
		s.rest = make([]T, max(n, blockLen))
	}
	taken := s.rest[:n:n]
	s.rest = s.rest[n:]
	return taken
}

// list returns a copy of a list of nodes.
func (s *scanner) list(of []*node) []*node {
	l := s.lists.take(len(of))
	copy(l, of)
	return l
}
