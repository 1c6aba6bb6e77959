package command

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
)

const codes = `Exit codes:
  0 done   1 the work failed   2 wrong usage   3 nothing can run there
  4 not allowed   5 cannot be reached   128+N stopped by signal N (130: Ctrl-C, 143: SIGTERM)
`

// Help returns the whole help text: how to call the program, examples, and the
// flags that most runs need; then everything else.
func (p Program) Help(fs *flagset.Set) string {
	var b strings.Builder
	called := cmp.Or(p.Called, p.Name)
	fmt.Fprintf(&b, "%s: %s\n\nUsage:\n", p.Name, p.Summary)
	for line := range strings.Lines(strings.TrimSpace(p.Usage)) {
		fmt.Fprintf(&b, "  %s %s\n", called, strings.TrimSpace(line))
	}
	b.WriteString("\nExamples:\n")
	for line := range strings.Lines(strings.Trim(p.Example, "\n")) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\n"), p.Name+" ", called+" ")
		b.WriteString(strings.TrimRight("  "+line, " ") + "\n")
	}
	infos := fs.Infos()
	if len(p.Common) > 0 {
		b.WriteString("\nFlags that most runs need:\n")
		for _, name := range p.Common {
			i := slices.IndexFunc(infos, func(f flagset.Info) bool { return f.Name == name })
			b.WriteString(flagHelp(infos[i]))
			infos = slices.Delete(infos, i, i+1)
		}
	}
	group := ""
	for _, f := range infos {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n%s:\n", group)
		}
		b.WriteString(flagHelp(f))
	}
	if d := strings.TrimSpace(p.Details); d != "" {
		b.WriteString("\nDetails:\n")
		for line := range strings.Lines(d) {
			line = strings.ReplaceAll(strings.TrimRight(line, "\n"), p.Name+" ", called+" ")
			b.WriteString(strings.TrimRight("  "+line, " ") + "\n")
		}
	}
	b.WriteString("\nResults (for --result, --github, --dotenv):\n")
	for _, r := range p.Results {
		name := r.Name
		if r.List {
			name += ", " + r.Name + "[*]"
		}
		for i, line := range wrap(r.Description, 62) {
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(&b, "  %-28s%s\n", name, line)
		}
	}
	return b.String() + "\n" + codes
}

// flagHelp returns the lines about a flag.
func flagHelp(f flagset.Info) string {
	head := "--" + f.Name
	if f.Short != "" {
		head = "-" + f.Short + ", " + head
	}
	if f.Placeholder != "" {
		head += " " + f.Placeholder
	}
	def := ""
	if f.Default != "" {
		def = " (default " + f.Default + ")"
	}
	var b strings.Builder
	if len(head) > 22 {
		fmt.Fprintf(&b, "  %s\n", head)
		head = ""
	}
	for i, line := range wrap(f.Description+def, 66) {
		if i > 0 {
			head = ""
		}
		fmt.Fprintf(&b, "  %-24s%s\n", head, line)
	}
	return b.String()
}

// helpJSON returns what documents, Tasks and actions are compared with.
func (p Program) helpJSON(fs *flagset.Set) string {
	b, _ := json.MarshalIndent(struct { // strings and switches always can
		Name    string         `json:"name"`
		Summary string         `json:"summary"`
		Flags   []flagset.Info `json:"flags"`
		Results []output.Spec  `json:"results"`
	}{p.Name, p.Summary, fs.Infos(), p.Results}, "", "  ")
	return string(b) + "\n"
}

func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
