package main

import (
	"fmt"
	"strings"
	"time"

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
	return b.String() + imageTable(d.Images)
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
