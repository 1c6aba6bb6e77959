package readiness

import (
	"fmt"
	"strings"

	"github.com/polyarch/polyarch/internal/text"
)

// maxRows keeps a summary within what GitHub shows.
const maxRows = 100

// Markdown is the report as a summary.
func (r *Report) Markdown() string {
	var b strings.Builder
	for n, p := range r.Platforms {
		fmt.Fprintf(&b, "### Readiness for %s\n\n%s\n", p.Platform, text.Markdown(p.Sentence()))
		for _, s := range p.Steps[1:] {
			fmt.Fprintf(&b, "After the first %s: %s.\n", s.said(), s.of(p.All))
		}
		if len(p.Blocking) > 0 {
			b.WriteString("\n| build first | frees | cores | GiB | blocks | why | newer tag |\n|---|--:|--:|--:|--:|---|---|\n")
			for i, x := range p.Blocking {
				if i == shownBlocking {
					break
				}
				fmt.Fprintf(&b, "| %s | %d | %s | %s | %d | %s | %s |\n", text.MarkdownCode(x.Image), x.Adds.Workloads, text.Markdown(short(x.Adds.Cores)), text.Markdown(short(x.Adds.GiB())), x.Workloads, text.Markdown(x.said()), text.Markdown(x.Suggested.String()))
			}
			if more := len(p.Blocking) - shownBlocking; more > 0 {
				fmt.Fprintf(&b, "\nand %s more\n", text.Count(more, "image"))
			}
		}
		if len(p.Missing) > 0 {
			b.WriteString("\nNot looked up:\n\n")
			for _, m := range p.Missing {
				b.WriteString("- " + text.Markdown(strings.TrimPrefix(m.Sentence(), "- ")) + "\n")
				for _, h := range m.Advice() {
					b.WriteString("  - " + text.Markdown(h) + "\n")
				}
			}
		}
		r.rows(&b, n)
	}
	return b.String()
}

func (r *Report) rows(b *strings.Builder, n int) {
	if len(r.Workloads) == 0 {
		return
	}
	b.WriteString("\n<details><summary>Workloads</summary>\n\n| namespace | workload | verdict | why |\n|---|---|---|---|\n")
	for i, row := range r.Workloads {
		if i == maxRows {
			break
		}
		a := row.Answers[n]
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", text.Markdown(row.Namespace), text.MarkdownCode(row.Title()), a.Verdict, text.Markdown(a.Why()))
	}
	if more := len(r.Workloads) - maxRows; more > 0 {
		fmt.Fprintf(b, "\nand %s more\n", text.Count(more, "workload"))
	}
	b.WriteString("\n</details>\n\n")
}
