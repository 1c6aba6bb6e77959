package readiness

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/polyarch/polyarch/internal/text"
)

// Text is the report for people. A width other than 0 is that of their
// terminal: cells that do not fit are cut.
func (r *Report) Text(width int) string {
	var b strings.Builder
	for n, part := range r.Platforms {
		if n > 0 {
			b.WriteString("\n")
		}
		if len(r.Platforms) > 1 {
			fmt.Fprintf(&b, "%s\n\n", part.Platform)
		}
		r.table(&b, n, width)
		part.blocking(&b, width)
		part.missing(&b, width)
		b.WriteString("\n" + wrap(part.Sentence(), width) + "\n")
		for _, s := range part.Steps[1:] {
			b.WriteString(wrap(fmt.Sprintf("After the first %s: %s.", s.said(), s.of(part.All)), width) + "\n")
		}
	}
	if !r.Verified && len(r.Workloads) > 0 {
		b.WriteString("\n" + wrap("The programs in the images were not looked into: --verify-binaries finds images that lie about their platform.", width) + "\n")
	}
	return b.String()
}

// table is the workloads and what is said of each.
func (r *Report) table(b *strings.Builder, n, width int) {
	if len(r.Workloads) == 0 {
		b.WriteString("There is no workload.\n")
		return
	}
	rows := [][]string{{"NAMESPACE", "WORKLOAD", "VERDICT", "WHY"}}
	for _, row := range r.Workloads {
		a := row.Answers[n]
		rows = append(rows, []string{orDash(row.Namespace), row.Title(), string(a.Verdict), a.Why()})
	}
	b.WriteString(fit(rows, width, []int{16, 24, 8, 20}))
}

// shownBlocking is how many images the table shows: the rest is in --json.
const shownBlocking = 20

func (p Part) blocking(b *strings.Builder, width int) {
	if len(p.Blocking) == 0 {
		return
	}
	b.WriteString("\nWhat to build first:\n")
	suggested := false
	for _, i := range p.Blocking {
		suggested = suggested || i.Suggested != nil
	}
	head := []string{"", "IMAGE", "FREES", "CORES", "GIB", "BLOCKS", "WHY"}
	if suggested {
		head = append(head, "NEWER TAG")
	}
	rows := [][]string{head}
	for n, i := range p.Blocking {
		if n == shownBlocking {
			break
		}
		row := []string{fmt.Sprint(n + 1), i.Image, fmt.Sprint(i.Adds.Workloads), short(i.Adds.Cores), short(i.Adds.GiB()), fmt.Sprint(i.Workloads), i.said()}
		if suggested {
			row = append(row, i.Suggested.String())
		}
		rows = append(rows, row)
	}
	b.WriteString(fit(rows, width, []int{2, 30, 5, 5, 5, 6, 20, 12}))
	if more := len(p.Blocking) - shownBlocking; more > 0 {
		fmt.Fprintf(b, "and %s more\n", text.Count(more, "image"))
	}
}

// said is why the image blocks, in few words.
func (i Blocker) said() string {
	if i.Lies {
		return "lies: " + i.Why
	}
	return i.Why
}

// String returns what to write instead, or why there is nothing.
func (t *Tag) String() string {
	switch {
	case t == nil:
		return ""
	case t.Tag != "":
		return t.Tag
	}
	return t.Why
}

func (p Part) missing(b *strings.Builder, width int) {
	if len(p.Missing) == 0 {
		return
	}
	b.WriteString("\nWhat could not be looked up:\n")
	for _, m := range p.Missing {
		b.WriteString(wrap(m.Sentence(), width) + "\n")
		for _, h := range m.Advice() {
			b.WriteString(wrap("  "+h, width) + "\n")
		}
	}
}

// Sentence says what was not looked up and why.
func (m Missing) Sentence() string {
	where := ""
	if m.Host != "" {
		where = m.Host + ": "
	}
	return fmt.Sprintf("- %s%s in %s: %s", where, text.Count(len(m.Images), "image"), text.Count(m.Workloads, "workload"), m.Why)
}

// Advice says what to do about it.
func (m Missing) Advice() []string {
	out := m.Hints[:len(m.Hints):len(m.Hints)]
	if m.Denied && len(m.PullSecrets) > 0 {
		out = append(out, "or read the workloads' own pull secrets, "+few(m.PullSecrets)+": add secrets to kubectl get and use --pull-secrets")
	}
	return out
}

// said counts images.
func (s Step) said() string {
	if s.Images == 1 {
		return "image"
	}
	return text.Count(s.Images, "image")
}

// of compares a total with all.
func (t Total) of(all Total) string {
	return fmt.Sprintf("%d of %s, %s of %s requested cores, %s of %s GiB", t.Workloads, text.Count(all.Workloads, "workload"), short(t.Cores), short(all.Cores), short(t.GiB()), short(all.GiB()))
}

// Sentence is the report on a platform in a line.
func (p Part) Sentence() string {
	var parts []string
	for _, v := range Verdicts {
		if t := p.Verdicts[v]; t.Workloads > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", t.Workloads, v))
		}
	}
	s := fmt.Sprintf("Can run on %s now: %s", p.Platform, p.Movable.of(p.All))
	if len(parts) > 0 {
		s += " (" + strings.Join(parts, ", ") + ")"
	}
	return s + "."
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// fit aligns rows in columns; least is how narrow each may become.
func fit(rows [][]string, width int, least []int) string {
	for _, row := range rows {
		for n := range row {
			row[n] = text.Line(row[n])
		}
	}
	if width > 0 {
		wide := make([]int, len(rows[0]))
		for _, row := range rows {
			for n, cell := range row {
				wide[n] = max(wide[n], utf8.RuneCountInString(cell))
			}
		}
		over := 2*(len(wide)-1) - width
		for _, n := range wide {
			over += n
		}
		for n := len(wide) - 1; n >= 0 && over > 0; n-- { // the last columns have the longest texts
			cut := min(over, max(0, wide[n]-least[n]))
			wide[n] -= cut
			over -= cut
		}
		for _, row := range rows {
			for n, cell := range row {
				if utf8.RuneCountInString(cell) > wide[n] {
					row[n] = string([]rune(cell)[:max(0, wide[n]-1)]) + "…"
				}
			}
		}
	}
	return text.Table(rows)
}

// wrap breaks a line between words.
func wrap(s string, width int) string {
	s = strings.TrimRight(text.Clean(s), " ")
	if width <= 0 {
		return s
	}
	indent := s[:len(s)-len(strings.TrimLeft(s, " -"))]
	var b strings.Builder
	b.WriteString(indent)
	at := len(indent)
	for n, word := range strings.Fields(s[len(indent):]) {
		long := utf8.RuneCountInString(word)
		if n > 0 && at+1+long > width {
			b.WriteString("\n" + strings.Repeat(" ", len(indent)))
			at = len(indent)
		} else if n > 0 {
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += long
	}
	return b.String()
}
