package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A snippet is a block of YAML in a Markdown file.
type snippet struct {
	line int
	text string
}

func snippets(doc string) (all []snippet) {
	var in *snippet
	indent := ""
	for i, line := range strings.Split(doc, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case in != nil && trimmed == "```":
			all, in = append(all, *in), nil
		case in != nil:
			in.text += strings.TrimPrefix(line, indent) + "\n"
		case trimmed == "```yaml" || trimmed == "```yml":
			in, indent = &snippet{line: i + 2}, line[:strings.Index(line, "`")]
		}
	}
	return all
}

var workflow = regexp.MustCompile(`(?m)^on:.*(\n.*)*\njobs:`)

// writeWorkflows writes the GitHub workflows that documents show to a folder,
// for a linter. A file's name says where its lines come from.
func writeWorkflows(root, dir string) error {
	return files(root, func(path string, text []byte) error {
		if filepath.Ext(path) != ".md" {
			return nil
		}
		for _, s := range snippets(string(text)) {
			if !workflow.MatchString(s.text) {
				continue
			}
			name := fmt.Sprintf("%s-line-%d.yml", strings.ReplaceAll(path, "/", "-"), s.line)
			if err := os.WriteFile(filepath.Join(dir, name), []byte(s.text), 0o644); err != nil {
				return err
			}
		}
		return nil
	})
}
