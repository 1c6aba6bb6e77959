package kubeyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/polyarch/polyarch/internal/exit"
)

// A Chunk is a piece of a stream that can be read on its own: one document as
// a rule, with its "---" line and the comments before it. The chunks of a
// stream in a row are the stream.
type Chunk struct {
	Bytes []byte
	Line  int  // of its first byte in the stream, from 1
	Raw   bool // there is nothing to read in it
	Item  bool // it is an item of a long list, with what is before it
	List  List // that the item is in, as far as that was known
}

// A List is what a list says of its items, where they do not say it themselves.
type List struct{ APIVersion, Kind string }

const (
	blockSize    = 256 << 10
	longDocument = 1 << 20  // beyond it a list is taken apart
	maxDocument  = 16 << 20 // that is looked at
	maxRead      = 4 << 20  // that is parsed
	maxParsed    = 400_000  // in a document that is parsed: each takes some 300 bytes of memory

	objectsAreSmall = "an API server takes objects of up to 3 MiB; leave the file out with --exclude if it is not a manifest"
)

// Split cuts a stream into pieces and calls emit with each; a piece may be
// kept. It cuts before each line that starts with "---", which ends a document
// wherever it stands, and behind each object of a stream of JSON. Lines that
// end otherwise than with a line feed are left to the parser. The items of a
// long list are pieces of their own. A document that is too long to be read is
// an error if it may be an object, else its pieces are raw.
func Split(r io.Reader, emit func(Chunk) error) error {
	var buf []byte
	line := 1
	s := &splitter{json: &jsonSplitter{}}
	for eof := false; !eof || len(buf) > 0; {
		n, how, err := s.cut(buf, eof)
		if err != nil {
			return exit.Failf("%w", err).OnLine(line, 0).
				Hint(objectsAreSmall)
		}
		if n > 0 {
			c := Chunk{Bytes: buf[:n:n], Line: line, Raw: how == raw, Item: how == item}
			if c.Item {
				c.List = s.list
			}
			line += bytes.Count(c.Bytes, []byte{'\n'})
			buf = buf[n:]
			if err := emit(c); err != nil {
				return err
			}
			continue
		}
		if how == again {
			continue
		}
		if cap(buf)-len(buf) < blockSize/2 { // a new block: the old one belongs to its chunks
			buf = append(make([]byte, 0, max(blockSize, len(buf)+len(buf)/2)), buf...)
		}
		n, err = r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if eof = err == io.EOF; err != nil && !eof {
			return fmt.Errorf("reading: %w", err)
		}
	}
	if s.json != nil && (s.items != nil || s.tail) {
		return exit.Failf("the JSON document ends too early").OnLine(line, 0)
	}
	return nil
}

// A splitter finds the ends of pieces.
type splitter struct {
	json  *jsonSplitter // nil: the stream is no JSON, or not any more
	lines lineSplitter
	items itemSplitter // nil outside the items of a long list
	list  List         // that items are in

	tail    bool // of a long list
	raw     bool // the rest of the document is too
	checked bool // whether the document is a list
}

// How a piece is to be taken.
type how uint8

const (
	whole how = iota
	raw
	item
	again // no piece, but no more bytes are needed to look again
)

func (s *splitter) cut(buf []byte, eof bool) (n int, _ how, _ error) {
	if s.items != nil {
		n, more := s.items.cut(buf, eof)
		switch {
		case n > 0:
			return n, item, nil
		case more && len(buf) > maxDocument:
			return 0, 0, tooLong(buf)
		case more:
			return 0, item, nil
		}
		s.items, s.tail = nil, true
		if s.json != nil {
			*s.json = jsonSplitter{depth: 2, key: true} // in the object and its list
		}
		s.lines = lineSplitter{}
		return 0, again, nil
	}
	n, more := 0, true
	if s.json != nil {
		if n, more = s.json.cut(buf, eof); n == 0 && !more {
			s.json = nil
			return 0, again, nil
		}
	} else {
		n, _ = s.lines.cut(buf, eof)
	}
	switch {
	case n > 0 && s.tail && s.json != nil && s.json.depth > 0:
		return 0, 0, errors.New("the JSON document ends too early")
	case n > 0 && s.tail && (bytes.Contains(readable(buf[:n]), []byte("containers")) || bytes.Contains(readable(buf[:n]), []byte("items"))):
		return 0, 0, errors.New("a list of more than 1 MiB has containers or items beside its items")
	case n > 0:
		how := whole
		if s.tail || s.raw {
			how = raw
		}
		if how == raw && s.raw && bytes.Contains(readable(buf[:n]), []byte("apiVersion")) {
			return 0, 0, tooLong(buf)
		}
		s.tail, s.raw, s.checked = false, false, false
		return n, how, nil
	case len(buf) > longDocument && !s.checked && !s.tail && !s.raw:
		s.checked = true
		if n = s.openList(buf); n > 0 {
			return n, raw, nil
		}
	case len(buf) > maxDocument:
		if bytes.Contains(readable(buf), []byte("apiVersion")) {
			return 0, 0, tooLong(buf)
		}
		s.raw = true
		n := len(buf) - 64 // in which a marker, or a word that matters, may have begun
		if s.json != nil {
			s.json.seen -= n
		} else {
			s.lines.seen -= n
		}
		return n, raw, nil
	}
	return 0, whole, nil
}

func tooLong(buf []byte) error {
	return fmt.Errorf("this document has more than %d MiB", len(buf)>>20)
}

// A lineSplitter cuts before document markers.
type lineSplitter struct {
	seen int // bytes in which there is no marker
}

// cut returns the length of the first piece; with 0 it has to see more.
func (s *lineSplitter) cut(buf []byte, eof bool) (n int, more bool) {
	for {
		i := bytes.Index(buf[s.seen:], []byte("\n---"))
		if i < 0 {
			break
		}
		end := s.seen + i + 4
		if end == len(buf) && !eof { // what follows is not here yet
			s.seen += i
			return 0, true
		}
		if (end == len(buf) || bytes.IndexByte([]byte(" \t\r\n"), buf[end]) >= 0) && !directives(buf[:end-3]) {
			s.seen = 0
			return end - 3, true
		}
		s.seen = end
	}
	if eof {
		return len(buf), true
	}
	s.seen = max(s.seen, len(buf)-3, 0)
	return 0, true
}

// A jsonSplitter cuts behind the objects of a stream of JSON.
type jsonSplitter struct {
	seen   int // bytes that were looked at
	depth  int
	quoted bool
	key    bool // the first key of the first object was seen: it is JSON, not YAML's flow style
}

// cut returns the length of the first piece; with 0 it has to see more, or if
// more is false, this is not JSON.
func (s *jsonSplitter) cut(buf []byte, eof bool) (n int, more bool) {
	for ; s.seen < len(buf); s.seen++ {
		c := buf[s.seen]
		switch {
		case s.quoted && c == '\\':
			if s.seen+1 == len(buf) && !eof {
				return 0, true
			}
			s.seen++
		case c == '"':
			if s.depth == 0 {
				return 0, false
			}
			s.quoted, s.key = !s.quoted, true
		case s.quoted, c == ' ', c == '\t', c == '\r', c == '\n':
		case c == '{', c == '[' && s.key:
			s.depth++
		case s.depth == 0, !s.key && c != '}':
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
		return len(buf), s.depth > 0 || len(buf) > 0
	}
	return 0, true
}

// directives reports whether the piece ends with %YAML or %TAG lines, which
// belong to the document that the next marker starts.
func directives(b []byte) bool {
	i := bytes.LastIndex(b, []byte("\n%"))
	if i < 0 && (len(b) == 0 || b[0] != '%') {
		return false
	}
	return !bytes.Contains(b[i+1:], []byte("\n---"))
}

// Apply writes the chunk with the edits, which are in order.
func (c Chunk) Apply(w io.Writer, edits []Edit) error {
	at := 0
	for _, e := range edits {
		if _, err := w.Write(c.Bytes[at:e.At]); err != nil {
			return err
		}
		if _, err := io.WriteString(w, e.Text); err != nil {
			return err
		}
		at = e.At + e.Del
	}
	_, err := w.Write(c.Bytes[at:])
	return err
}
