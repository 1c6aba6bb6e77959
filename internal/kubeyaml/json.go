package kubeyaml

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/text"
)

// startsJSON returns the offset of a chunk's first brace, behind a byte order
// mark, white space and a "---"; ok is false if it starts with something else.
func startsJSON(b []byte) (offset int, ok bool) {
	rest := bytes.TrimPrefix(b, []byte("\uFEFF"))
	rest = bytes.TrimLeft(rest, " \t\r\n")
	rest = bytes.TrimLeft(bytes.TrimPrefix(rest, []byte("---")), " \t\r\n")
	rest = bytes.TrimLeft(rest, ", \t\r\n") // an item of a long list comes with the comma before it
	return len(b) - len(rest), len(rest) > 0 && rest[0] == '{'
}

// parseJSON reads the document of a chunk with encoding/json, which takes what
// YAML parsers refuse: "\/", surrogate pairs, long keys.
func parseJSON(c Chunk, from int) ([]*node, error) {
	p := &jsonParser{c: c, from: from, dec: json.NewDecoder(bytes.NewReader(c.Bytes[from:])), line: c.Line}
	p.dec.UseNumber()
	root, err := p.value()
	if err == nil {
		if _, e := p.dec.Token(); !errors.Is(e, io.EOF) {
			err = errors.New("there is more after the JSON document")
		}
	}
	if err != nil {
		at, ok := text.JSONOffset(err, int64(len(c.Bytes)-from))
		if !ok {
			at = p.dec.InputOffset()
		}
		p.position(min(from+int(at), len(c.Bytes)))
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the JSON document ends too early")
		}
		return nil, exit.Failf("%w", err).OnLine(p.line, 0)
	}
	return []*node{root}, nil
}

// maxJSONDepth is that of encoding/json, which its Token does not heed, and of
// yaml.v3.
const maxJSONDepth = 10_000

type jsonParser struct {
	depth int
	c     Chunk
	from  int
	dec   *json.Decoder
	at    int // offset up to which line and bol are right
	line  int
	bol   int // offset of the line's first byte
}

// position moves line and bol on to an offset.
func (p *jsonParser) position(at int) {
	for ; p.at < at; p.at++ {
		if p.c.Bytes[p.at] == '\n' {
			p.line++
			p.bol = p.at + 1
		}
	}
}

// value reads a value, and its place before that.
func (p *jsonParser) value() (*node, error) {
	at := p.from + int(p.dec.InputOffset())
	for at < len(p.c.Bytes) && bytes.IndexByte([]byte(" \t\r\n,:"), p.c.Bytes[at]) >= 0 {
		at++
	}
	p.position(at)
	n := &node{flow: true, start: at, line: p.line, col: at - p.bol + 1}
	tok, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case json.Delim:
		if p.depth++; p.depth > maxJSONDepth {
			return nil, fmt.Errorf("it is nested more than %d deep", maxJSONDepth)
		}
		defer func() { p.depth-- }()
		n.kind = mapping
		if t == '[' {
			n.kind = sequence
		}
		for p.dec.More() {
			if n.kind == mapping {
				key, err := p.value()
				if err != nil {
					return nil, err
				}
				n.keys = append(n.keys, key)
			}
			kid, err := p.value()
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, kid)
		}
		_, err = p.dec.Token() // the end
		return n, err
	case string:
		n.quote, n.value = '"', t
	case json.Number:
		n.value = t.String()
	case bool:
		n.value = map[bool]string{true: "true", false: "false"}[t]
	case nil:
		n.null, n.value = true, "null"
	}
	n.flow = false
	return n, nil
}
