// Package manifest finds the PodSpecs in a stream of Kubernetes manifests and
// splices text into it. Parsers only find places: what is not inserted or
// replaced on purpose is handed on byte for byte, and never re-encoded.
package manifest

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

// Split cuts a stream before each line that starts with "---", which ends a
// document wherever it stands, and calls emit with every piece. A piece may be
// kept. Lines that end otherwise than with a line feed are left to the parser.
func Split(r io.Reader, emit func(Chunk) error) error {
	var (
		buf  []byte
		line = 1
		seen = 0 // bytes of buf in which there is no marker
	)
	cut := func(n int) error {
		c := Chunk{Bytes: buf[:n:n], Line: line}
		line += bytes.Count(c.Bytes, []byte{'\n'})
		buf, seen = buf[n:], 0
		return emit(c)
	}
	for eof := false; !eof; {
		if cap(buf)-len(buf) < blockSize/2 { // a new block: the old one belongs to its chunks
			buf = append(make([]byte, 0, max(blockSize, 2*len(buf))), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if eof = err == io.EOF; err != nil && !eof {
			return fmt.Errorf("reading: %w", err)
		}
		for {
			i := bytes.Index(buf[seen:], []byte("\n---"))
			if i < 0 {
				seen = max(seen, len(buf)-3)
				break
			}
			end := seen + i + 4
			if end == len(buf) && !eof { // what follows is not here yet
				seen += i
				break
			}
			seen = end
			if (end == len(buf) || bytes.IndexByte([]byte(" \t\r\n"), buf[end]) >= 0) && !directives(buf[:end-3]) {
				if err := cut(end - 3); err != nil {
					return err
				}
			}
		}
	}
	if len(buf) > 0 {
		return cut(len(buf))
	}
	return nil
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
