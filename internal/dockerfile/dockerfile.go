package dockerfile

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// MaxSize is how many bytes a Dockerfile may have; long ones have 50 KB.
const MaxSize = 1 << 20

// A File is a Dockerfile that was read.
type File struct {
	escape rune
	args   []argument // before the first FROM
	stages []stage
}

// An argument is one ARG before the first FROM.
type argument struct {
	name, value string
	set         bool // it has a default, which may be empty
}

// A stage is what one FROM begins.
type stage struct {
	name     string // in lower case; may be empty
	base     string // as it is written
	platform string // as it is written; may be empty
	line     int
	from     []origin
}

// An origin is what COPY --from or RUN --mount=from names.
type origin struct {
	name, by string
	line     int
}

// Parse reads a Dockerfile.
func Parse(text []byte) (*File, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("it has more than %d KiB", MaxSize>>10)
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	f := &File{escape: parsed.EscapeToken}
	for _, n := range parsed.AST.Children {
		switch name := strings.ToLower(n.Value); {
		case name == "from":
			s, err := from(n)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n.StartLine, err)
			}
			f.stages = append(f.stages, s)
		case name == "arg" && len(f.stages) == 0:
			for _, w := range words(n) {
				a := argument{}
				a.name, a.value, a.set = strings.Cut(w, "=")
				f.args = append(f.args, a)
			}
		case len(f.stages) > 0 && (name == "copy" || name == "run"):
			s := &f.stages[len(f.stages)-1]
			s.from = append(s.from, origins(n, name)...)
		}
	}
	if len(f.stages) == 0 {
		return nil, fmt.Errorf("it has no FROM")
	}
	return f, nil
}

// words returns the arguments of an instruction.
func words(n *parser.Node) []string {
	var ws []string
	for w := n.Next; w != nil; w = w.Next {
		ws = append(ws, w.Value)
	}
	return ws
}

// from reads FROM [--platform=PLATFORM] IMAGE [AS NAME].
func from(n *parser.Node) (stage, error) {
	ws := words(n)
	s := stage{line: n.StartLine}
	switch {
	case len(ws) == 3 && strings.EqualFold(ws[1], "as"):
		s.name = strings.ToLower(ws[2])
	case len(ws) != 1:
		return s, fmt.Errorf("FROM takes an image, or an image, AS and a name")
	}
	s.base = ws[0]
	for _, flag := range n.Flags {
		if p, ok := strings.CutPrefix(flag, "--platform="); ok {
			s.platform = p
		}
	}
	return s, nil
}

// origins returns what the flags of a COPY or RUN name. A field of a mount may
// be quoted as in CSV.
func origins(n *parser.Node, instruction string) []origin {
	var found []origin
	for _, flag := range n.Flags {
		if name, ok := strings.CutPrefix(flag, "--from="); ok && instruction == "copy" {
			found = append(found, origin{name, "COPY --from", n.StartLine})
		}
		mount, ok := strings.CutPrefix(flag, "--mount=")
		if !ok || instruction != "run" {
			continue
		}
		fields, err := csv.NewReader(strings.NewReader(mount)).Read()
		if err != nil {
			continue // the builder refuses it at once
		}
		for _, field := range fields {
			if key, name, _ := strings.Cut(field, "="); strings.EqualFold(key, "from") {
				found = append(found, origin{name, "RUN --mount", n.StartLine})
			}
		}
	}
	return found
}

// stage finds a stage by its name, the last of that name before the stage
// limit, or by its number.
func (f *File) stage(name string, limit int, numbers bool) (int, bool) {
	for i := limit - 1; i >= 0; i-- {
		if f.stages[i].name != "" && f.stages[i].name == strings.ToLower(name) {
			return i, true
		}
	}
	if n, err := strconv.Atoi(name); numbers && err == nil && n >= 0 && n < limit {
		return n, true
	}
	return 0, false
}

// expander expands variables as BuildKit does in FROM.
type expander struct {
	lex  *shell.Lex
	vars vars
}

// maxWord bounds what is expanded and what comes of it: a few lines of
// ARG A=$A$A would fill any memory.
const maxWord = 4 << 10

func (e expander) expand(word string) (string, error) {
	if len(word) > maxWord {
		return "", fmt.Errorf("a word has more than %d bytes", maxWord)
	}
	r, err := e.lex.ProcessWordWithMatches(word, e.vars)
	if err == nil && len(r.Result) > maxWord {
		return "", fmt.Errorf("a word has more than %d bytes when it is expanded", maxWord)
	}
	return r.Result, err
}

// vars implements shell.EnvGetter.
type vars map[string]string

func (v vars) Get(name string) (string, bool) { s, ok := v[name]; return s, ok }
func (v vars) Keys() []string                 { return slices.Sorted(maps.Keys(v)) }
