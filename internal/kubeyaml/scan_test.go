package kubeyaml

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sameAsYAML checks that what scan is sure of is what yaml.v3 says.
func sameAsYAML(t *testing.T, text string) (sure bool) {
	t.Helper()
	sure = true
	err := Split(strings.NewReader(text), func(c Chunk) error {
		fast, ok := scan(c)
		if !ok {
			sure = false
			return nil
		}
		slow, err := parseYAML(c)
		if err != nil {
			t.Fatalf("%q: scan is sure, yaml.v3 says: %v", c.Bytes, err)
		}
		var a, b strings.Builder
		dump(&a, "", fast)
		dump(&b, "", slow)
		if d := cmp.Diff(b.String(), a.String()); d != "" {
			t.Fatalf("%q: yaml.v3 (-) and scan (+):\n%s", c.Bytes, d)
		}
		for _, n := range fast {
			ends(t, c, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sure
}

func dump(b *strings.Builder, indent string, ns []*node) {
	for _, n := range ns {
		fmt.Fprintf(b, "%s%d flow %t quote %q %q null %t at %d, line %d, column %d\n", indent, n.kind, n.flow, n.quote, n.str(), n.null, n.start, n.line, n.col)
		if n.kind == mapping {
			dump(b, indent+"  ?", n.keys)
		}
		dump(b, indent+"  ", n.kids)
	}
}

// ends checks that ends are within the chunk, and in order.
func ends(t *testing.T, c Chunk, n *node) {
	t.Helper()
	last := n.start
	for i, kid := range n.kids {
		if n.kind == mapping {
			ends(t, c, n.keys[i])
		}
		ends(t, c, kid)
		if kid.start < last {
			t.Fatalf("%q: %+v starts within what is before it", c.Bytes, kid)
		}
		last = kid.end
	}
	if n.end < last || n.end > len(c.Bytes) || n.end < n.start {
		t.Fatalf("%q: %+v ends at %d", c.Bytes, n, n.end)
	}
}

var scanSeeds = []string{
	"a: 1\nb:\n  - c\n  - d: e\n    f: g\n  -\n    h: i\n",
	"--- # first\n# comment\na:\n- b: |\n    text: x\n\n     more\n  # no text\n  c: >-\n    folded\n    text\n\nd:\n...\n# end\n",
	"a: \"q: # \\\" \\u00e9\" # c\nb: 'it''s'\n\"c d\": {e: [f, 'g', \"h\"], i: {}, j: []}\nk: ~\nl: null\nm: \n",
	"a:\r\n  b: c\r\n  d: |\r\n    e\r\n",
	"- a\n- - b\n  - c: d\n-   e: f\n    g: h\n- {a: b}\n- |\n  x\n- \"q\": r\n- -1\n- ?x\n- :y\n",
	"a: http://x/y:z#n\nb: x #c\nc: a#b\nd: {image: r.io:5000/a:b@sha256:c}\n",
	"a: é\nb: [\"ü\"]\nc: |\n  ñ\n",
	"a: |\n b",
	"a: b\n---\nc: d\n--- \ne: f\n",
	"a: |\n\n\n  x\nb: |-\n  y\n\n\n# z\nc: |\n",
	"kind: List\nitems:\n- kind: Pod\n  spec:\n    containers:\n    - name: a\n      image: b\n",
	"a: {b: c, d: {e: [1, 2]}}\n",
	"a:\n  - b\n c: d\n", "a: b\n  c\n", "a: b: c\n", "? a\n: b\n", "a: &x b\nc: *x\n", "a: {b: c,\n  d: e}\n", "<<: x\n", "a: [b: c]\n", "a: {b, c}\n", "\tx: y\n",
	"x: {{ .Values.y }}\n", "a: !t b\n", "%YAML 1.2\n---\na: b\n", "a: 'x\n  y'\n", "a: - b\n", "-a: b\n- c\n", "a:b: c\n", "a : b\n", "a: |+\n  b\n\n", "a: |2\n    b\n", "a: \"\\x\"\n",
	"a: {b: c}: d\n", "a: [b]c\n", "a: 'b'c\n", "null: a\n", "a: [a,b ,c]\n", "a: [ ]\n", "---\n...\n", "a: --- b\n---", "...\na: b\n",
}

func TestScanIsSure(t *testing.T) {
	for _, text := range scanSeeds[:12] {
		if !sameAsYAML(t, text) {
			t.Errorf("%q: scan is not sure", text)
		}
	}
	for _, text := range scanSeeds[12:] {
		sameAsYAML(t, text)
	}
	files, err := filepath.Glob("../../samples/hello/k8s/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !sameAsYAML(t, string(b)) {
			t.Errorf("%s: scan is not sure", f)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range scanSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) { sameAsYAML(t, text) })
}
