package kubeyaml

import (
	"bytes"
	"encoding/json"

	"github.com/polyarch/polyarch/internal/exit"
)

// maxValues is how many values an object may have, counting those that aliases
// and merge keys repeat.
const maxValues = 200_000

// maxNesting is how deep an object may be nested.
const maxNesting = 100

// JSON returns the object and its PodSpec as JSON, in which every scalar is a
// string: a reader that wants more than this package reads has one form to
// decode, whatever the document was written in.
func (w *Workload) JSON() (object, podSpec []byte, err error) {
	if object, err = toJSON(w.obj); err != nil {
		return nil, nil, err
	}
	podSpec, err = toJSON(w.pod)
	return object, podSpec, err
}

func toJSON(n *node) ([]byte, error) {
	c := jsonWriter{left: maxValues}
	c.write(n, 0)
	if c.left <= 0 {
		return nil, exit.Failf("line %d: the object has more than %d values, counting those that aliases repeat", n.line, maxValues).At("", n.line, 0)
	}
	return c.out.Bytes(), nil
}

type jsonWriter struct {
	out  bytes.Buffer
	left int
}

func (c *jsonWriter) write(n *node, depth int) {
	n = n.resolve()
	if c.left--; c.left <= 0 || depth > maxNesting {
		c.out.WriteString("null")
		return
	}
	switch n.kind {
	case mapping:
		c.out.WriteByte('{')
		c.entries(n, map[string]bool{}, depth)
		c.out.WriteByte('}')
	case sequence:
		c.out.WriteByte('[')
		for i, kid := range n.kids {
			if i > 0 {
				c.out.WriteByte(',')
			}
			c.write(kid, depth+1)
		}
		c.out.WriteByte(']')
	default:
		if n.null {
			c.out.WriteString("null")
			return
		}
		c.text(n.str())
	}
}

// entries writes the entries of a mapping, its own before those that merge keys
// bring in.
func (c *jsonWriter) entries(n *node, seen map[string]bool, depth int) {
	if c.left--; c.left <= 0 || depth > maxNesting {
		return
	}
	var merged []*node
	for i, k := range n.keys {
		if k.isMerge() {
			merged = append(merged, n.kids[i])
			continue
		}
		key := k.resolve().str()
		if k.kind != scalar && k.alias == nil || seen[key] {
			continue
		}
		if len(seen) > 0 {
			c.out.WriteByte(',')
		}
		seen[key] = true
		c.text(key)
		c.out.WriteByte(':')
		c.write(n.kids[i], depth+1)
	}
	for _, m := range merged {
		for _, f := range m.mergedFrom() {
			if f = f.resolve(); f.kind == mapping {
				c.entries(f, seen, depth+1)
			}
		}
	}
}

func (c *jsonWriter) text(s string) {
	b, _ := json.Marshal(s) // a string always can
	c.out.Write(b)
}
