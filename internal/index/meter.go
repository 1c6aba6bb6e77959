package index

import (
	"io"
	"sync"
	"sync/atomic"
)

// A Meter says how far a Stitch is. Its zero value is ready for use, by
// several goroutines.
type Meter struct {
	mu   sync.Mutex
	rows []*Row
}

// A Row is about one image, or about a source that is not known to be one yet.
type Row struct {
	name, state    string
	copied, copies atomic.Int64
	mu             sync.Mutex
}

// Rows returns the rows in the order of the sources.
func (m *Meter) Rows() []*Row {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*Row{}, m.rows...)
}

// State returns the image's platform, or its reference while that is not known,
// and what is done with it: "reading", "checked", "copying", "done".
func (r *Row) State() (name, state string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.name, r.state
}

// Copied returns how many bytes have been copied, of how many.
func (r *Row) Copied() (n, of int64) { return r.copied.Load(), r.copies.Load() }

// row adds a row. A nil Meter returns one that nobody sees.
func (m *Meter) row(name string) *Row {
	r := &Row{name: name, state: "reading"}
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.rows = append(m.rows, r)
	}
	return r
}

func (r *Row) set(name, state string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.name, r.state = name, state
}

// showChildren replaces the sources' rows by the children's, once these are known.
func (m *Meter) showChildren(children []*child) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows = nil
	for _, c := range children {
		c.row = &Row{name: c.Platform.String(), state: "checked"}
		m.rows = append(m.rows, c.row)
	}
}

// metered counts what is read.
type metered struct {
	io.ReadCloser
	row *Row
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.row.copied.Add(int64(n))
	return n, err
}
