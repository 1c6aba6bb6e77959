package main

import (
	"fmt"
	"strings"

	"github.com/polyarch/polyarch/internal/cluster"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/text"
)

// summary returns Markdown for GitHub: a table of nodes per platform, and a
// picture of it in mermaid.
func summary(chosen []offer, surveys []*cluster.Survey) string {
	ps := list(chosen)
	var b strings.Builder
	fmt.Fprintf(&b, "### Platforms: %s\n", text.MarkdownCode(ps.String()))
	if len(surveys) == 0 {
		b.WriteString("\nNo cluster was read: these are the ones of `--fallback`.\n")
		return b.String()
	}
	b.WriteString("\n| cluster | platform | nodes | chosen | to tolerate |\n|---|---|--:|---|---|\n")
	for _, s := range surveys {
		for _, o := range s.Offers {
			taints := []string{}
			for _, t := range o.Taints {
				taints = append(taints, text.MarkdownCode(t.String()))
			}
			nodes := size(o.Nodes, o.Pools)
			if !s.Whole {
				nodes += " by label"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", text.Markdown(s.Cluster), text.MarkdownCode(o.Platform.String()), nodes, yes(isChosen(ps, o.Platform)), strings.Join(taints, " "))
		}
	}
	for _, s := range surveys {
		for _, g := range s.LeftOut {
			fmt.Fprintf(&b, "\n- %s: left out: %s", text.Markdown(s.Cluster), text.Markdown(group(g)))
		}
		for _, g := range s.Notes {
			fmt.Fprintf(&b, "\n- %s: counted: %s", text.Markdown(s.Cluster), text.Markdown(group(g)))
		}
	}
	b.WriteString("\n\n```mermaid\nflowchart LR\n")
	for i, s := range surveys {
		fmt.Fprintf(&b, "  c%d[\"%s\"]\n", i, text.Mermaid(s.Cluster))
		for _, o := range s.Offers {
			arrow := "-.->"
			if isChosen(ps, o.Platform) {
				arrow = "-->"
			}
			fmt.Fprintf(&b, "  c%d %s|\"%s\"| %s([\"%s\"])\n", i, arrow, size(o.Nodes, o.Pools), o.Platform.Slug(), o.Platform)
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// isChosen reports whether a platform of nodes is chosen, with a variant or not.
func isChosen(chosen platform.List, p platform.Platform) bool { return chosen.Nodes().Contains(p) }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
