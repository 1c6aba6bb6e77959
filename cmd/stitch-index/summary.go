package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/text"
)

// summary is Markdown for GitHub: what was made, and a table of its images.
func summary(d document) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", text.MarkdownCode(d.ImageURL))
	if d.DryRun {
		b.WriteString("A dry run: nothing was written.\n\n")
	}
	fmt.Fprintf(&b, "Index: `%s`\n\n", d.Digest)
	if len(d.Tags) > 1 {
		fmt.Fprintf(&b, "Tags: `%s`\n\n", strings.Join(d.Tags, "`, `"))
	}
	b.WriteString(missingLine(d.Missing))
	for _, g := range d.Gaps {
		if g.Kept != "" {
			fmt.Fprintf(&b, "Kept as it was: %s, `%s` (%s)\n\n", text.MarkdownCode(g.Platform.String()), g.Kept, text.Markdown(g.Why))
		}
	}
	return b.String() + imageTable(d.Images)
}

// missingLine says which platforms are missing; "" if none is.
func missingLine(ps platform.List) string {
	if len(ps) == 0 {
		return ""
	}
	var names []string
	for _, p := range ps {
		names = append(names, text.MarkdownCode(p.String()))
	}
	return "**Missing:** " + strings.Join(names, ", ") + "\n\n"
}

func imageTable(images []child) string {
	var b strings.Builder
	b.WriteString("| platform | image | layers | build | program checked |\n|---|---|--:|--:|---|\n")
	for _, c := range images {
		size, took, checked := "", "", "no"
		if c.Layers > 0 {
			size = text.Bytes(c.Layers)
		}
		if c.Built > 0 {
			took = time.Duration(c.Built * float64(time.Second)).Round(100 * time.Millisecond).String()
		}
		if c.Verified {
			checked = "yes"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", text.MarkdownCode(imageName(c.Platform, c.Zstd)), c.Digest, size, took, checked)
	}
	return b.String()
}
