package command

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
)

const codes = `Exit codes:
  0 done   1 the work failed   2 wrong usage   3 nothing can run there
  4 not allowed   5 cannot be reached   130, 143 stopped by a signal
`

// Help gives the whole help text.
func (p Program) Help(fs *flagset.Set) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\nUsage:\n", p.Name, p.Summary)
	for line := range strings.Lines(strings.TrimSpace(p.Usage)) {
		fmt.Fprintf(&b, "  %s %s\n", p.Name, strings.TrimSpace(line))
	}
	if d := strings.TrimSpace(p.Details); d != "" {
		b.WriteString("\n" + d + "\n")
	}
	group := ""
	for _, f := range fs.Infos() {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n%s:\n", group)
		}
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
		text := wrap(f.Description+def, 66)
		if len(head) > 22 {
			fmt.Fprintf(&b, "  %s\n", head)
			head = ""
		}
		for i, line := range text {
			if i > 0 {
				head = ""
			}
			fmt.Fprintf(&b, "  %-24s%s\n", head, line)
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
	b.WriteString("\n" + codes + "\nExamples:\n")
	for line := range strings.Lines(strings.Trim(p.Example, "\n")) {
		b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

// helpJSON gives what documents, Tasks and actions are compared with.
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
