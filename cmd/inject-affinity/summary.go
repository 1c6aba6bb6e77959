package main

import (
	"fmt"
	"strings"

	"github.com/polyarch/polyarch/internal/text"
)

// An excerpt keeps the beginning of what is written to it.
type excerpt struct {
	text []byte
	cut  bool
}

// excerptBytes is well below GitHub's limit for a summary, and more than
// anybody reads there.
const excerptBytes = 64 << 10

func (e *excerpt) Write(p []byte) (int, error) {
	n := min(len(p), excerptBytes-len(e.text))
	e.text = append(e.text, p[:n]...)
	e.cut = e.cut || n < len(p)
	return len(p), nil
}

// maxRows keeps a summary within what GitHub shows.
const maxRows = 100

// summary is Markdown: a table of the workloads, and what changed.
func (r *record) summary(diff *excerpt) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### inject-affinity: %s changed\n\n", text.Count(r.Changed, "workload"))
	if len(r.Workloads) == 0 {
		return b.String()
	}
	b.WriteString("| workload | platforms | changed |\n|---|---|---|\n")
	for i, w := range r.Workloads {
		if i == maxRows {
			fmt.Fprintf(&b, "\nand %d more\n", len(r.Workloads)-i)
			break
		}
		fmt.Fprintf(&b, "| %s | %s | %t |\n", text.MarkdownCode(w.Kind+" "+w.Name), w.Platforms, w.Changed)
	}
	if diff != nil && len(diff.text) > 0 {
		b.WriteString("\n<details><summary>What changed</summary>\n\n" + text.MarkdownBlock("diff", text.Clean(string(diff.text))))
		if diff.cut {
			b.WriteString("\n…cut: `--diff` shows all of it\n")
		}
		b.WriteString("\n</details>\n")
	}
	return b.String()
}
