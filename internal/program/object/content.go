package object

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"sync"
)

const (
	// window is how much of the beginning of a program is read. A program's
	// symbols stand there; node's, of 100 MB, end at 20 MB.
	window = 24 << 20
	// small programs need no turn.
	small = 1 << 20
	// least is what a Reader begins with.
	least = 64 << 10
	// Beyond the window these are read: the beginning of each data segment,
	// where Go keeps how it was built, and the end, where sections are listed.
	dataHead, tail = 256 << 10, 64 << 10
	maxExtra       = 8 << 20
)

// Content is what was kept of a file while it passed by. It is valid until the
// next Capture of its Reader.
type Content struct {
	Size  int64
	parts []part
}

type part struct {
	at int64
	b  []byte
}

// Head returns the beginning of the file, at least HeadSize bytes of it or all.
func (c *Content) Head() []byte { return c.parts[0].b }

// At returns n bytes at an offset. It is not ok if they are not there or were
// not kept.
func (c *Content) At(offset, n uint64) ([]byte, bool) {
	if offset > uint64(c.Size) || n > uint64(c.Size)-offset {
		return nil, false
	}
	for _, p := range c.parts {
		if offset >= uint64(p.at) && offset+n <= uint64(p.at)+uint64(len(p.b)) {
			return p.b[offset-uint64(p.at):][:n:n], true
		}
	}
	return nil, false
}

// From returns what was kept of the file at an offset and after, up to most
// bytes.
func (c *Content) From(offset, most uint64) []byte {
	for _, p := range c.parts {
		if offset >= uint64(p.at) && offset < uint64(p.at)+uint64(len(p.b)) {
			b := p.b[offset-uint64(p.at):]
			return b[:min(uint64(len(b)), most)]
		}
	}
	return nil
}

// A Reader captures files, one after the other, in memory that it reuses. Its
// zero value is ready. Readers take turns at large files, so that any number of
// them stays within one window.
type Reader struct{ buffer []byte }

var large struct {
	sync.Mutex
	buffer []byte
}

// Read identifies a file of that size, and reads no more of it than that takes.
// The result does not refer to the file's memory.
func (r *Reader) Read(content io.Reader, size int64) (File, []byte, error) {
	if want := min(size, small); int64(len(r.buffer)) < want {
		r.buffer = nil // so that both are never there at once
		r.buffer = make([]byte, max(want, least))
	}
	head, err := fill(content, r.buffer[:min(size, HeadSize)])
	if err != nil {
		return File{}, nil, err
	}
	f := Identify(head)
	if f.Kind != Binary {
		return f, head, nil
	}
	buffer := r.buffer
	if size > small {
		large.Lock()
		defer large.Unlock()
		if most := min(size, window); int64(cap(large.buffer)) < most {
			large.buffer = nil
			large.buffer = make([]byte, most)
		}
		buffer = large.buffer[:cap(large.buffer)]
		copy(buffer, head)
	}
	c := &Content{Size: size}
	kept := min(size, int64(len(buffer)))
	if _, err := fill(content, buffer[len(head):kept]); err != nil {
		return File{}, nil, err
	}
	c.parts = []part{{0, buffer[:kept]}}
	if err := c.extra(content); err != nil {
		return File{}, nil, err
	}
	return Read(c), c.Head()[:len(head)], nil
}

// fill reads all of a slice.
func fill(r io.Reader, b []byte) ([]byte, error) {
	n, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) && len(b) > 0 {
		err = io.ErrUnexpectedEOF
	}
	if len(b) == 0 {
		err = nil
	}
	return b[:n], err
}

// extra reads what is needed of a file beyond the window.
func (c *Content) extra(r io.Reader) error {
	at := int64(len(c.Head()))
	if at == c.Size {
		return nil
	}
	type span struct{ from, to int64 }
	var wanted []span
	want := func(offset, n uint64) {
		from, to := max(int64(min(offset, uint64(c.Size))), at), int64(min(offset+n, uint64(c.Size)))
		if offset+n >= offset && from < to {
			wanted = append(wanted, span{from, to})
		}
	}
	want(uint64(c.Size)-tail, tail)
	if e, table, size := header(c.Head()); e != nil && size > 0 {
		b, _ := c.At(table, size)
		for _, s := range e.segments(b) {
			const writable = 2
			switch {
			case s.Type == ptDynamic || s.Type == ptNote || s.Type == ptProperty:
				want(s.Offset, min(s.FileSize, dataHead))
			case s.Type == ptLoad && s.Flags&writable != 0:
				want(s.Offset, min(s.FileSize, dataHead))
			case s.Type == ptLoad && s.FileSize <= maxExtra/2: // where patchelf puts what it has changed
				want(s.Offset, s.FileSize)
			}
		}
	}
	slices.SortFunc(wanted, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var kept int64
	for _, s := range wanted {
		if s.from = max(s.from, at); s.from >= s.to || kept+s.to-s.from > maxExtra {
			continue
		}
		if _, err := io.CopyN(io.Discard, r, s.from-at); err != nil {
			return noEOF(err)
		}
		b, err := fill(r, make([]byte, s.to-s.from))
		if err != nil {
			return err
		}
		kept += s.to - s.from
		if last := &c.parts[len(c.parts)-1]; len(c.parts) > 1 && last.at+int64(len(last.b)) == s.from {
			last.b = append(last.b, b...)
		} else {
			c.parts = append(c.parts, part{s.from, b})
		}
		at = s.to
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
