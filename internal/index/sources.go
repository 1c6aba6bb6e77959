package index

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/registry"
)

// maxSources bounds a list of sources, in bytes.
const maxSources = 4 << 20

// ReadSources reads a list of sources: one a line, "#" starting a comment; or
// a JSON array of strings; or a JSON object whose values hold them, which is
// what GitHub's toJSON(needs.build.outputs) and toJSON(needs) give. Of an
// object's values those count that name a digest, a platform or a layout. A
// source that is a digest alone is in repo.
func ReadSources(r io.Reader, name string, repo registry.Repository) ([]Source, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSources+1))
	if err == nil && len(b) > maxSources {
		err = fmt.Errorf("it is longer than %d bytes", maxSources)
	}
	if err != nil {
		return nil, exit.Failf("reading sources from %s: %w", name, err)
	}
	var sources []Source
	if t := bytes.TrimSpace(b); len(t) > 0 && (t[0] == '[' || t[0] == '{') {
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
		src, err := ParseSource(line, repo)
		if err != nil {
			return nil, exit.Failf("reading sources from %s: line %d: %w", name, n, err).At(name, n, 0)
		}
		src.From = fmt.Sprintf("%s, line %d", name, n)
		sources = append(sources, src)
	}
	return sources, nil
}

func jsonSources(b []byte, name string, repo registry.Repository) ([]Source, error) {
	var doc any
	if err := decode(b, &doc); err != nil {
		e := exit.Failf("reading sources from %s: it is no JSON: %w", name, err)
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			e.At(name, 1+bytes.Count(b[:min(int(syntax.Offset), len(b))], []byte("\n")), 0)
		}
		return nil, e
	}
	var sources []Source
	seen := map[string]bool{}
	add := func(s, where string) error {
		src, err := ParseSource(s, repo)
		if err != nil {
			return exit.Failf("reading sources from %s: %s: %w", name, where, err)
		}
		if !seen[src.String()] { // a job may give its image in two outputs
			seen[src.String()] = true
			src.From = name + ", " + where
			sources = append(sources, src)
		}
		return nil
	}
	if err := eachSource(doc, "", true, 0, add); err != nil {
		return nil, err
	}
	return sources, nil
}

// eachSource finds the strings in a JSON value that are sources. In an array
// at the top every string has to be one.
func eachSource(v any, where string, all bool, depth int, add func(s, where string) error) error {
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
				if decode([]byte(line), &inner) == nil {
					if err := eachSource(inner, where, all, depth+1, add); err != nil {
						return err
					}
					continue
				}
			}
			if err := add(line, where); err != nil {
				return err
			}
		}
	case []any:
		for n, e := range v {
			if _, isText := e.(string); all && !isText {
				return exit.Failf("reading sources: element %d of the array is no string", n+1)
			}
			if err := eachSource(e, fmt.Sprintf("%s[%d]", where, n), all, depth+1, add); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if err := eachSource(v[k], strings.TrimPrefix(where+"."+k, "."), false, depth+1, add); err != nil {
				return err
			}
		}
	}
	return nil
}

// looksLikeSource tells a source from another output of a job.
func looksLikeSource(s string) bool {
	if strings.ContainsAny(s, " \t") {
		return false
	}
	_, declared, ok := cutPlatform(s)
	return strings.Contains(s, "@sha256:") || strings.HasPrefix(s, layoutScheme) || strings.HasPrefix(s, "[") || strings.HasPrefix(s, "{") ||
		strings.HasPrefix(s, "sha256:") && ok || ok && strings.Contains(declared, "/") && strings.Contains(s, ":")
}
