package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/text"
)

// leftAlone says in a line what was left alone, or returns "".
func (r *record) leftAlone() string {
	var parts []string
	kinds := 0
	for _, kind := range slices.Sorted(maps.Keys(r.kinds)) {
		n := r.kinds[kind]
		kinds += n
		counted := text.Count(n, kind)
		if n != 1 && kind == "patch" {
			counted = fmt.Sprint(n, " patches")
		}
		if n != 1 && strings.HasPrefix(kind, "file ") {
			counted = fmt.Sprint(n, " files without Kubernetes objects")
		}
		parts = append(parts, counted)
	}
	if others := len(r.Left) - kinds; others > 0 {
		parts = append(parts, text.Count(others, "link or special file"))
	}
	return strings.Join(parts, ", ")
}
