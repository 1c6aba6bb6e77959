package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
)

var yamlBlock = regexp.MustCompile(`(?ms)^( *)# ([a-z]+-[a-z]+): ([a-z][A-Za-z +-]*)\n(.*?)^( *)# end$`)

// rewriteYAML fills the generated blocks of a YAML file.
func rewriteYAML(doc string, from sources) (string, error) {
	var failed error
	doc = yamlBlock.ReplaceAllStringFunc(doc, func(s string) string {
		m := yamlBlock.FindStringSubmatch(s)
		indent, kind, words := m[1], m[2], strings.Fields(m[3])
		write := blocks[kind]
		if write == nil {
			failed = fmt.Errorf("there is no block %q", kind)
			return s
		}
		var helps, whole []*help
		for _, word := range words {
			if name, ok := strings.CutPrefix(word, "-"); ok && len(helps) > 0 {
				helps[len(helps)-1] = helps[len(helps)-1].without(name)
				continue
			}
			if name, ok := strings.CutPrefix(word, "+"); ok && len(helps) > 0 {
				helps[len(helps)-1] = helps[len(helps)-1].with(whole[len(helps)-1], name)
				continue
			}
			h, err := from.ask(word)
			if err != nil {
				failed = err
				return s
			}
			helps, whole = append(helps, h), append(whole, h)
		}
		var b strings.Builder
		b.WriteString(indent + "# " + kind + ": " + m[3] + "\n")
		for _, line := range write(helps) {
			b.WriteString(indent + line + "\n")
		}
		b.WriteString(indent + "# end")
		return b.String()
	})
	return doc, failed
}

// without returns h without the flag or result of this name, or the flags under
// the heading of this name.
func (h *help) without(name string) *help {
	return &help{
		Name:    h.Name,
		Version: h.Version,
		Flags:   slices.DeleteFunc(slices.Clone(h.Flags), func(f flagset.Info) bool { return f.Name == name || f.Group == name }),
		Results: slices.DeleteFunc(slices.Clone(h.Results), func(r output.Spec) bool { return r.Name == name }),
	}
}

// with returns h and the flag of this name that whole has.
func (h *help) with(whole *help, name string) *help {
	more := *h
	for _, f := range whole.Flags {
		if f.Name == name {
			more.Flags = append(slices.Clone(h.Flags), f)
		}
	}
	return &more
}
