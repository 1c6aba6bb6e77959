package manifest

// An arena hands out the nodes of some documents and takes them all back at
// once: they are most of the memory that reading takes.
type arena struct {
	nodes slab[node]
	lists slab[*node]
}

func (a *arena) node() *node { return &a.nodes.take(1)[0] }

func (a *arena) list(of []*node) []*node {
	l := a.lists.take(len(of))
	copy(l, of)
	return l
}

func (a *arena) reset() {
	a.nodes.reset()
	a.lists.reset()
}

// A slab hands out parts of large blocks.
type slab[T any] struct {
	blocks [][]T
	full   int // blocks that are used up
	used   int // of the block after those
}

const (
	blockLen  = 1024 // values in a block
	maxBlocks = 32   // that are kept for the next documents
)

// take gives n zero values.
func (s *slab[T]) take(n int) []T {
	if n > blockLen {
		return make([]T, n)
	}
	if s.full < len(s.blocks) && s.used+n > blockLen {
		s.full, s.used = s.full+1, 0
	}
	if s.full == len(s.blocks) {
		s.blocks = append(s.blocks, make([]T, blockLen))
	}
	s.used += n
	return s.blocks[s.full][s.used-n : s.used : s.used]
}

func (s *slab[T]) reset() {
	for i := range s.blocks[:min(s.full+1, len(s.blocks))] {
		clear(s.blocks[i])
	}
	s.blocks = s.blocks[:min(maxBlocks, len(s.blocks))]
	s.full, s.used = 0, 0
}
