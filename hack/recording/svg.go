package main

import (
	"fmt"
	"html"
	"strings"
	"time"
)

// The picture is of one terminal.
const (
	columns = 118
	row     = 19
	margin  = 18
	width   = columns*84/10 + 2*margin // a column is 8.4 units wide at 14 pixels
)

const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" role="img" aria-label="A terminal in which detect-arch, stitch-index and inject-affinity run">
<style>
rect { fill: #16181d; }
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #d7dae0; white-space: pre; opacity: 0; animation: show 1ms forwards; }
.comment { fill: #8b93a1; } .typed { fill: #ffffff; font-weight: 600; } .added { fill: #7fd18b; } .removed { fill: #f08a8a; } .wrong { fill: #ff8f8f; font-weight: 600; } .hint { fill: #e6c384; }
@keyframes show { to { opacity: 1; } }
@media (prefers-reduced-motion: reduce) { text { opacity: 1; animation: none; } }
</style>
<rect width="100%%" height="100%%" rx="8"/>
`

// draw returns the lines as an SVG in which each appears when it was printed.
func draw(lines []line) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, head, width, len(lines)*row+2*margin)
	at := time.Duration(0)
	typed := false // a command goes on behind a backslash
	last := ""
	for i, l := range lines {
		at += l.at
		kind := class(l.text, typed)
		if l.at == 0 && strings.HasPrefix(l.text, "    ") { // wrapped
			kind = last
		}
		last = kind
		typed = kind == "typed" && strings.HasSuffix(l.text, `\`)
		if l.text == "" {
			continue
		}
		fmt.Fprintf(&b, "<text%s x=\"%d\" y=\"%d\" style=\"animation-delay:%.1fs\">%s</text>\n",
			attribute(kind), margin, margin+(i+1)*row-5, at.Seconds(), html.EscapeString(cut(l.text)))
	}
	return []byte(b.String() + "</svg>\n")
}

func attribute(class string) string {
	if class == "" {
		return ""
	}
	return fmt.Sprintf(" class=%q", class)
}

func class(text string, typed bool) string {
	switch {
	case typed || strings.HasPrefix(text, "$ "):
		return "typed"
	case strings.HasPrefix(text, "# "):
		return "comment"
	case strings.HasPrefix(text, "+"):
		return "added"
	case strings.HasPrefix(text, "-"):
		return "removed"
	case strings.Contains(text, ": error: "):
		return "wrong"
	case strings.Contains(text, ": hint: "):
		return "hint"
	}
	return ""
}

// wrapped breaks error messages into lines that fit.
func wrapped(s string) (lines []string) {
	if k := class(s, false); k != "wrong" && k != "hint" {
		return []string{s}
	}
	for r := []rune(s); len(r) > columns; r = []rune(s) {
		at := strings.LastIndex(string(r[:columns]), " ")
		if at <= 4 {
			break
		}
		lines, s = append(lines, s[:at]), "    "+s[at+1:]
	}
	return append(lines, s)
}

func cut(s string) string {
	if r := []rune(s); len(r) > columns {
		return string(r[:columns-1]) + "…"
	}
	return s
}
