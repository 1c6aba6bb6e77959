package text

import (
	"fmt"
	"strings"
)

// Markdown keeps what somebody else named from being Markdown or HTML, in a
// cell of a table too.
func Markdown(s string) string {
	return escape(Line(s), "\\`*_{}[]<>()#+!|~&@", "&#%d;")
}

// MarkdownCode returns s as code of one line, in a cell of a table too.
func MarkdownCode(s string) string {
	if s = Line(s); s != "" && !strings.ContainsAny(s, "`|\\") {
		return "`" + s + "`"
	}
	return "<code>" + Markdown(s) + "</code>"
}

// MarkdownBlock returns s as a block of code of a language, with a fence that
// is longer than any row of backticks in it.
func MarkdownBlock(language, s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return fence + language + "\n" + s + fence + "\n"
}

// Mermaid returns s for the quotes of a mermaid node
// (mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters).
func Mermaid(s string) string { return escape(Line(s), "\"#;<>&`\\|[](){}", "#%d;") }

func escape(s, special, format string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(special, r) {
			fmt.Fprintf(&b, format, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
