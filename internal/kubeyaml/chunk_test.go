package kubeyaml

import (
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSplit(t *testing.T) {
	for _, c := range [][]string{
		{},
		{"a: 1"},
		{"a: 1\n", "---\nb: 2\n", "--- # c\nc: 3\n", "---"},
		{"a: 1\r\n", "---\r\nb: |\r\n  x\r\n ---\r\n"},
		{"---x: 1\nb: ----\n"},
		{"%YAML 1.2\n---\na: 1\n", "---\n"},
		{`{"a":"}"}`, "\n{ \"b\": [{\"\\\"{\": 1}] }", " {}", "\n\n"},
		{"{\"a\": 1}", "\n", "---\n{b: {}}\n", "--- \nc: 1\n"},
		{"{a: {}}\n", "---\n{b: 1}"},
		{`{"a": "` + strings.Repeat("x{", 200_000) + `\\"}`, `{"b":1}`},
		{`{"a": {`}, {`{"a": "\`}, {"\n{\n"}, {" \n"},
		{"a: 1\n...\n# end\n", "---\n" + strings.Repeat("b: 2\n", 100_000), "---\nc: 3\n"},
	} {
		in := strings.Join(c, "")
		var got []string
		line := 1
		err := Split(iotest.HalfReader(strings.NewReader(in)), func(c Chunk) error {
			if c.Line != line {
				t.Errorf("chunk %q is said to be at line %d, not %d", c.Bytes[:min(9, len(c.Bytes))], c.Line, line)
			}
			line += strings.Count(string(c.Bytes), "\n")
			got = append(got, string(c.Bytes))
			return nil
		})
		if d := cmp.Diff(c, got, cmpopts.EquateEmpty()); err != nil || d != "" {
			t.Errorf("%v\n%s", err, d)
		}
	}
}
