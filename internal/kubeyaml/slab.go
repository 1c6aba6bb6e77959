package kubeyaml

// A slab makes values in blocks, since a document has many small nodes and an
// allocation for each of them costs more than reading it.
type slab[T any] struct {
	rest []T

	keeps bool  // the blocks, to be used again
	kept  [][]T // in the order of their use
	used  int   // of kept
}

const blockLen = 128 // values in a block

// take returns n zero values.
func (s *slab[T]) take(n int) []T {
	if n > len(s.rest) {
		s.more(n)
	}
	taken := s.rest[:n:n]
	s.rest = s.rest[n:]
	return taken
}

// more begins a block for at least n values.
func (s *slab[T]) more(n int) {
	if s.used < len(s.kept) && len(s.kept[s.used]) >= n {
		s.rest = s.kept[s.used]
		s.used++
		return
	}
	s.rest = make([]T, max(n, blockLen))
	if s.keeps {
		s.kept = append(s.kept[:s.used], s.rest)
		s.used++
	}
}

// reset makes all values zero, and free to be taken again.
func (s *slab[T]) reset() {
	for _, block := range s.kept[:s.used] {
		clear(block)
	}
	s.used, s.rest = 0, nil
}

// list returns a copy of a list of nodes.
func (s *scanner) list(of []*node) []*node {
	l := s.lists.take(len(of))
	copy(l, of)
	return l
}
