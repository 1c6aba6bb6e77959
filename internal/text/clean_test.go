package text

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n":     "plain\ttext\n",
		"\x1b[2Jgone":       `\x1b[2Jgone`,
		"a\rb":              `a\x0db`,
		"user\u202etxt.exe": `user\u202etxt.exe`,
		"\xffü":             `\xffü`,
		"\u0085":            `\u0085`,
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Line(" a\r\nb\nc\t\x00 "); got != `a\x0d b c \x00` {
		t.Errorf("Line: %q", got)
	}
}

func TestTable(t *testing.T) {
	if got := Table([][]string{{"a", "bb"}, {"ccc"}, {"ü", "d", "e"}}); got != "a    bb\nccc\nü    d   e\n" {
		t.Errorf("%q", got)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"platforms", "count", "mixed"}
	for in, want := range map[string]string{"platform": "platforms", "conut": "count", "zebra": "", "": ""} {
		if got := Nearest(in, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	for in, want := range map[string]string{
		"linux/arm64":               "linux/arm64",
		"a|b`c<img src=x>\n@me\x1b": "a&#124;b&#96;c&#60;img src=x&#62; &#64;me&#92;x1b",
		"[x](http://y)":             "&#91;x&#93;&#40;http://y&#41;",
	} {
		if got := Markdown(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"linux/arm64": "`linux/arm64`", "a_b*<i>": "`a_b*<i>`", "a`b": "<code>a&#96;b</code>", "a|b": "<code>a&#124;b</code>", "": "<code></code>"} {
		if got := MarkdownCode(in); got != want {
			t.Errorf("%q as code: %q, want %q", in, got, want)
		}
	}
	if got := MarkdownBlock("diff", "+ ```\n+ ````"); got != "`````diff\n+ ```\n+ ````\n`````\n" {
		t.Errorf("block: %q", got)
	}
	if got := Mermaid(`a"] --> b`); got != "a#34;#93; --#62; b" {
		t.Errorf("mermaid: %q", got)
	}
}

func TestJSONLine(t *testing.T) {
	for in, want := range map[string]int{"{\n\n x": 3, "[1,\n\"a\"]": 2, "{\n\"a\":": 2, "": 1, "[1]": 0} {
		var v []int
		if got := JSONLine([]byte(in), json.NewDecoder(strings.NewReader(in)).Decode(&v)); got != want {
			t.Errorf("%q: line %d, want %d", in, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1500: "1.5 kB", 120e6: "120.0 MB", 2e9: "2.00 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b]0;x\a")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, hidden) {
			t.Fatalf("Clean(%q) = %q", s, got)
		}
		if Clean(got) != got {
			t.Fatalf("Clean is not idempotent on %q", s)
		}
	})
}
