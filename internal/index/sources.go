package index

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/text"
)

// maxSources bounds a list of sources, in bytes.
const maxSources = 4 << 20

// ReadSources reads a list of sources: one a line, "#" starting a comment; or a
// JSON array of strings; or a JSON object whose values hold them, which is what
// GitHub's toJSON(needs.build.outputs) and toJSON(needs) return. Of an object's
// values, only those count that name a digest, a platform or a layout. A source
// that is a digest alone is in repo. An object {"for": {NAME: VALUE},
// "sources": […]}, wherever it stands, says what its sources were made for.
func ReadSources(r io.Reader, name string, repo registry.Repository) ([]Source, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSources+1))
	if err == nil && len(b) > maxSources {
		err = fmt.Errorf("it is longer than %d bytes", maxSources)
	}
	if err != nil {
		return nil, exit.Failf("reading sources from %s: %w", name, err)
	}
	var sources []Source
	if t := bytes.TrimSpace(b); len(t) > 0 && (t[0] == '[' || t[0] == '{') && !bytes.Contains(t, []byte("}\n{")) {
		sources, err = jsonSources(t, name, repo)
	} else {
		sources, err = lineSources(string(b), name, repo)
	}
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return nil, exit.Failf("reading sources from %s: there is none in it", name).Hint("each job that builds has to give its image, as repo@sha256:…=linux/arm64")
	}
	return sources, nil
}

func lineSources(s, name string, repo registry.Repository) ([]Source, error) {
	var sources []Source
	n := 0
	for line := range strings.Lines(s) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		where := fmt.Sprintf("%s, line %d", name, n)
		if strings.HasPrefix(line, "{") {
			more, err := jsonSources([]byte(line), where, repo)
			if err != nil {
				return nil, err
			}
			sources = append(sources, more...)
			continue
		}
		src, err := ParseSource(line, repo)
		if err != nil {
			return nil, exit.Failf("reading sources from %s: line %d: %w", name, n, err).At(name, n, 0)
		}
		src.From = where
		sources = append(sources, src)
	}
	return sources, nil
}

func jsonSources(b []byte, name string, repo registry.Repository) ([]Source, error) {
	var doc any
	if err := image.Decode(b, &doc); err != nil {
		e := exit.Failf("reading sources from %s: it is not JSON: %w", name, err)
		return nil, e.At(name, text.JSONLine(b, err), 0)
	}
	var sources []Source
	seen := map[string]bool{}
	add := func(s, where string, made map[string]string) error {
		src, err := ParseSource(s, repo)
		if err != nil {
			return exit.Failf("reading sources from %s: %s: %w", name, where, err)
		}
		if !seen[src.String()] { // a job may name its image in two outputs
			seen[src.String()] = true
			src.From, src.For = strings.TrimSuffix(name+", "+where, ", "), made
			sources = append(sources, src)
		}
		return nil
	}
	if err := eachSource(doc, "", nil, true, 0, add); err != nil {
		return nil, err
	}
	return sources, nil
}

// addSource takes a source, where it stood, and what it was made for.
type addSource func(s, where string, made map[string]string) error

// madeFor reads what a list says that it was made for: an object of strings.
func madeFor(v any, where string) (map[string]string, error) {
	if v == nil {
		return nil, nil
	}
	object, ok := v.(map[string]any)
	made := map[string]string{}
	for k, value := range object {
		if made[k], ok = value.(string); !ok {
			break
		}
	}
	if !ok {
		return nil, exit.Failf("reading sources: what %s says it is for is not an object of strings", strings.TrimPrefix(where+".for", "."))
	}
	return made, nil
}

// eachSource finds the strings in a JSON value that are sources. In an array at
// the top, every string must be one.
func eachSource(v any, where string, made map[string]string, all bool, depth int, add addSource) error {
	if depth > 8 {
		return nil
	}
	switch v := v.(type) {
	case string:
		for line := range strings.Lines(v) {
			line = strings.TrimSpace(line)
			if line == "" || !all && !looksLikeSource(line) {
				continue
			}
			if strings.HasPrefix(line, "[") || strings.HasPrefix(line, "{") { // an output that is JSON itself
				var inner any
				if image.Decode([]byte(line), &inner) == nil {
					if err := eachSource(inner, where, made, all, depth+1, add); err != nil {
						return err
					}
					continue
				}
			}
			if err := add(line, where, made); err != nil {
				return err
			}
		}
	case []any:
		for n, e := range v {
			if _, isText := e.(string); all && !isText {
				return exit.Failf("reading sources: element %d of the array is not a string", n+1)
			}
			if err := eachSource(e, fmt.Sprintf("%s[%d]", where, n), made, all, depth+1, add); err != nil {
				return err
			}
		}
	case map[string]any:
		if list, ok := v["sources"].([]any); ok {
			made, err := madeFor(v["for"], where)
			if err != nil {
				return err
			}
			return eachSource(list, strings.TrimPrefix(where+".sources", "."), made, true, depth+1, add)
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if err := eachSource(v[k], strings.TrimPrefix(where+"."+k, "."), made, false, depth+1, add); err != nil {
				return err
			}
		}
	}
	return nil
}

// looksLikeSource distinguishes a source from another output of a job.
func looksLikeSource(s string) bool {
	if strings.ContainsAny(s, " \t") {
		return false
	}
	ref, declared, ok := cutPlatform(s)
	return ref == "" && strings.HasSuffix(declared, optionalMark) || strings.Contains(s, "@sha256:") || strings.HasPrefix(s, layoutScheme) || strings.HasPrefix(s, "[") || strings.HasPrefix(s, "{") ||
		strings.HasPrefix(s, "sha256:") && ok || ok && strings.Contains(declared, "/") && strings.Contains(s, ":")
}
