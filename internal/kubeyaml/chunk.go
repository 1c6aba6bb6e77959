package kubeyaml

import (
	"bytes"
	"fmt"
	"io"
)

// A Chunk is a piece of a stream that can be read on its own: one document as
// a rule, with its "---" line and the comments before it. The chunks of a
// stream in a row are the stream.
type Chunk struct {
	Bytes []byte
	Line  int // of its first byte in the stream, from 1
}

const blockSize = 256 << 10

// Split cuts a stream into pieces and calls emit with each; a piece may be
// kept. It cuts before each line that starts with "---", which ends a document
// wherever it stands, and behind each object of a stream of JSON. Lines that
// end otherwise than with a line feed are left to the parser.
func Split(r io.Reader, emit func(Chunk) error) error {
	var (
		buf  []byte
		line = 1
		json = jsonSplitter{}
		cut  = json.cut
	)
	for eof := false; !eof || len(buf) > 0; {
		n, more := cut(buf, eof)
		switch {
		case n > 0:
			c := Chunk{Bytes: buf[:n:n], Line: line}
			line += bytes.Count(c.Bytes, []byte{'\n'})
			buf = buf[n:]
			if err := emit(c); err != nil {
				return err
			}
			continue
		case !more: // no JSON, or none any more
			lines := lineSplitter{}
			cut = lines.cut
			continue
		}
		if cap(buf)-len(buf) < blockSize/2 { // a new block: the old one belongs to its chunks
			buf = append(make([]byte, 0, max(blockSize, 2*len(buf))), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if eof = err == io.EOF; err != nil && !eof {
			return fmt.Errorf("reading: %w", err)
		}
	}
	return nil
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
	s.seen = max(s.seen, len(buf)-3)
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
