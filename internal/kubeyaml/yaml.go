package kubeyaml

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/polyarch/polyarch/internal/exit"
)

// parseYAML reads all documents of a chunk with yaml.v3. Its nodes have a line
// and a column, from which the offsets are worked out.
func parseYAML(c Chunk) ([]*node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(c.Bytes))
	conv := converter{c: c, lines: lineStarts(c.Bytes), made: map[*yaml.Node]*node{}, aliased: map[*node]int{}}
	var roots []*node
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, yamlError(c, err)
		}
		if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
			roots = append(roots, conv.node(doc.Content[0]))
		}
	}
	for target, aliases := range conv.aliased {
		target.share(1 + aliases)
	}
	return roots, nil
}

type converter struct {
	c       Chunk
	lines   []int
	made    map[*yaml.Node]*node
	aliased map[*node]int // how many aliases a node has
	last    struct{ line, column, at int }
}

func (c *converter) node(y *yaml.Node) *node {
	n := &node{anchored: y.Anchor != "" || y.Style&yaml.TaggedStyle != 0, value: y.Value}
	c.made[y] = n
	c.setPosition(n, y.Line, y.Column)
	switch y.Kind {
	case yaml.ScalarNode:
		n.null = y.ShortTag() == "!!null"
		if b, err := base64.StdEncoding.DecodeString(y.Value); err == nil && y.ShortTag() == "!!binary" {
			n.value = string(b) // as the API machinery reads it
		}
		switch {
		case y.ShortTag() == "!!merge": // a merge key, also if it is quoted
		case y.Style&yaml.DoubleQuotedStyle != 0:
			n.quote = '"'
		case y.Style&yaml.SingleQuotedStyle != 0:
			n.quote = '\''
		case y.Style&yaml.LiteralStyle != 0:
			n.quote = '|'
		case y.Style&yaml.FoldedStyle != 0:
			n.quote = '>'
		}
	case yaml.MappingNode:
		n.kind, n.flow = mapping, y.Style&yaml.FlowStyle != 0
		for i := 0; i+1 < len(y.Content); i += 2 {
			n.keys = append(n.keys, c.node(y.Content[i]))
			n.kids = append(n.kids, c.node(y.Content[i+1]))
		}
	case yaml.SequenceNode:
		n.kind, n.flow = sequence, y.Style&yaml.FlowStyle != 0
		for _, item := range y.Content {
			n.kids = append(n.kids, c.node(item))
		}
	case yaml.AliasNode:
		n.alias = c.made[y.Alias]
		c.aliased[n.alias]++
	}
	return n
}

// setPosition works out the offset. yaml.v3 counts columns in characters, of which a
// leading byte order mark is none.
func (c *converter) setPosition(n *node, line, column int) {
	line = min(max(line, 1), len(c.lines))
	at := c.lines[line-1]
	if line == 1 && bytes.HasPrefix(c.c.Bytes, []byte("\uFEFF")) {
		at += 3
	}
	first, from := at, 1
	if c.last.line == line && c.last.column <= column { // so that a long line is counted once
		at, from = c.last.at, c.last.column
	}
	for range column - from {
		_, size := utf8.DecodeRune(c.c.Bytes[at:])
		at += size
	}
	c.last.line, c.last.column, c.last.at = line, max(column, 1), at
	n.start, n.line, n.col = at, c.c.Line+line-1, at-first+1
}

// lineStarts returns the offset of each line, with YAML 1.1's line breaks: LF,
// CR, CRLF, NEL, LS and PS.
func lineStarts(b []byte) []int {
	starts := []int{0}
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\n', b[i] == '\r' && (i+1 == len(b) || b[i+1] != '\n'):
			starts = append(starts, i+1)
		case b[i] == 0xC2 && i+1 < len(b) && b[i+1] == 0x85:
			starts = append(starts, i+2)
		case b[i] == 0xE2 && i+2 < len(b) && b[i+1] == 0x80 && (b[i+2] == 0xA8 || b[i+2] == 0xA9):
			starts = append(starts, i+3)
		}
	}
	return starts
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// yamlError puts the line of the stream into an error of yaml.v3, whose parser
// (unlike its scanner) counts lines from 0.
func yamlError(c Chunk, err error) error {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return exit.Failf("%w", err).OnLine(c.Line, 0)
	}
	n, _ := strconv.Atoi(m[1])
	if strings.HasPrefix(m[2], "did not find expected") || n == 0 {
		n++
	}
	line := c.Line + n - 1
	return exit.Failf("%s", m[2]).OnLine(line, 0)
}
