package text

import (
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
