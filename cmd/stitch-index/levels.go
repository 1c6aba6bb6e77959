package main

import (
	"regexp"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
)

// The levels of an annotation, as docker buildx names them
// (docs.docker.com/build/metadata/annotations). An index-descriptor would
// annotate the index in an index that holds it, and there is none.
const (
	indexLevel      = "index"
	manifestLevel   = "manifest"
	descriptorLevel = "manifest-descriptor"
	noLevel         = "index-descriptor"
)

// levelPrefix is LEVEL[,LEVEL][[PLATFORM]]: before a key (docker/buildx,
// util/buildflags/export.go).
var levelPrefix = regexp.MustCompile(`^((?:index|manifest|manifest-descriptor|index-descriptor)(?:,(?:index|manifest|manifest-descriptor|index-descriptor))*)(?:\[([^\]=]*)\])?:`)

// A leveled is an annotation, and where it goes.
type leveled struct {
	on         map[string]bool
	of         platform.Platform // zero: of all
	key, value string
}

// annotations returns what --annotation and --index-annotation say.
func (c *config) annotations() ([]leveled, error) {
	var all []leveled
	for _, line := range c.onIndex {
		a, err := parseAnnotation("index-annotation", line)
		if err != nil {
			return nil, err
		}
		if a.on[descriptorLevel] {
			return nil, exit.Usagef("flag --index-annotation: %q is for the images in the index", line).Hint("give it to --annotation")
		}
		// manifest: is what docker/metadata-action writes where nothing was said
		if a.on == nil || a.on[manifestLevel] {
			a.on = map[string]bool{indexLevel: true}
		}
		all = append(all, a)
	}
	for _, line := range c.onImages {
		a, err := parseAnnotation("annotation", line)
		if err != nil {
			return nil, err
		}
		if a.on == nil {
			a.on = map[string]bool{descriptorLevel: true}
		}
		all = append(all, a)
	}
	return all, nil
}

// parseAnnotation reads [LEVEL[,LEVEL][[PLATFORM]]:|PLATFORM:]KEY=VALUE; the
// levels are nil where none is named.
func parseAnnotation(flag, line string) (a leveled, err error) {
	text, of := line, ""
	if m := levelPrefix.FindStringSubmatch(line); m != nil {
		a.on = map[string]bool{}
		for level := range strings.SplitSeq(m[1], ",") {
			a.on[level] = level != noLevel
		}
		text, of = line[len(m[0]):], m[2]
	} else if head, rest, ok := strings.Cut(line, ":"); ok && flag == "annotation" && strings.Contains(head, "/") && !strings.Contains(head, "=") {
		// Keys are reversed domain names: what stands before a colon and has a
		// slash is a platform.
		text, of = rest, head
	}
	if of != "" {
		if a.of, err = platform.Parse(of); err != nil {
			return a, exit.Usagef("flag --%s: %w", flag, err)
		}
	}
	var ok bool
	if a.key, a.value, ok = strings.Cut(text, "="); !ok || a.key == "" {
		return a, exit.Usagef("flag --%s: %q is not KEY=VALUE", flag, line)
	}
	return a, nil
}
