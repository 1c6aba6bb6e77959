package program

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// fields expands words as a shell does, as long as all is known. The words up
// to the first that is not known are always returned.
func (s *shellRun) fields(words []*syntax.Word) (all []string, ok bool) {
	for _, w := range words {
		if s.isArgs(w) {
			if s.noArgs != "" {
				return all, false
			}
			all = append(all, s.args...)
			continue
		}
		v, quoted, ok := s.expand(w.Parts, false)
		switch {
		case !ok:
			return all, false
		case quoted:
			all = append(all, v)
		case globs(v):
			return all, false
		default:
			all = append(all, strings.Fields(v)...)
		}
	}
	return all, true
}

// field expands one word to one value.
func (s *shellRun) field(w *syntax.Word) (string, bool) {
	if s.isArgs(w) {
		return "", false
	}
	v, _, ok := s.expand(w.Parts, true)
	return v, ok
}

// isArgs reports whether a word is "$@", or one of its like.
func (s *shellRun) isArgs(w *syntax.Word) bool {
	if len(w.Parts) != 1 {
		return false
	}
	part := w.Parts[0]
	if q, ok := part.(*syntax.DblQuoted); ok && len(q.Parts) == 1 {
		part = q.Parts[0]
		p, ok := part.(*syntax.ParamExp)
		return ok && plainParam(p) && p.Param.Value == "@"
	}
	p, ok := part.(*syntax.ParamExp)
	return ok && plainParam(p) && (p.Param.Value == "@" || p.Param.Value == "*")
}

func plainParam(p *syntax.ParamExp) bool {
	return p.Param != nil && !p.Excl && !p.Length && !p.Width && p.Index == nil && p.Slice == nil && p.Repl == nil && p.Names == 0 && p.Exp == nil && len(p.Modifiers) == 0
}

// expand returns a word's value; quoted reports whether it stays one word
// whatever is in it.
func (s *shellRun) expand(parts []syntax.WordPart, quotes bool) (value string, quoted, ok bool) {
	var b strings.Builder
	blank := false // an unquoted value has blanks, so the word would be split
	for n, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			v := p.Value
			if n == 0 && strings.HasPrefix(v, "~") || globs(v) {
				return b.String(), quoted, false
			}
			b.WriteString(unescape(v))
			quoted = quoted || strings.Contains(v, "\\")
		case *syntax.SglQuoted:
			if p.Dollar {
				return b.String(), quoted, false
			}
			b.WriteString(p.Value)
			quoted = true
		case *syntax.DblQuoted:
			if p.Dollar {
				return b.String(), quoted, false
			}
			for _, in := range p.Parts {
				switch in := in.(type) {
				case *syntax.Lit:
					b.WriteString(unescapeQuoted(in.Value))
				case *syntax.ParamExp:
					v, ok := s.param(in)
					if !ok {
						return b.String(), quoted, false
					}
					b.WriteString(v)
				default:
					return b.String(), quoted, false
				}
			}
			quoted = true
		case *syntax.ParamExp:
			v, ok := s.param(p)
			if !ok {
				return b.String(), quoted, false
			}
			blank = blank || strings.ContainsAny(v, " \t\n")
			b.WriteString(v)
		default:
			return b.String(), quoted, false
		}
	}
	if blank && quoted && !quotes {
		return b.String(), quoted, false
	}
	return b.String(), quoted, true
}

// globs reports whether a shell would look for files by a word, or make several
// of it.
func globs(v string) bool {
	return strings.ContainsAny(v, "*?{") || strings.Contains(v, "[") && strings.Contains(v, "]")
}

func unescape(v string) string {
	var b strings.Builder
	for n := 0; n < len(v); n++ {
		if v[n] == '\\' && n+1 < len(v) {
			n++
			if v[n] == '\n' {
				continue
			}
		}
		b.WriteByte(v[n])
	}
	return b.String()
}

func unescapeQuoted(v string) string {
	var b strings.Builder
	for n := 0; n < len(v); n++ {
		if v[n] == '\\' && n+1 < len(v) && strings.IndexByte("$`\"\\\n", v[n+1]) >= 0 {
			n++
			if v[n] == '\n' {
				continue
			}
		}
		b.WriteByte(v[n])
	}
	return b.String()
}

// param returns the value of $NAME, and of ${NAME:-WORD}, ${NAME#WORD},
// ${NAME:FROM:COUNT} where the words are plain.
func (s *shellRun) param(p *syntax.ParamExp) (string, bool) {
	if p.Param == nil || p.Excl || p.Length || p.Width || p.Index != nil || p.Repl != nil || p.Names != 0 || len(p.Modifiers) > 0 {
		return "", false
	}
	value, set, ok := s.variable(p.Param.Value)
	switch {
	case !ok:
		return "", false
	case p.Slice != nil:
		return slice(value, p.Slice)
	case p.Exp == nil:
		return value, true
	}
	word := func() (string, bool) {
		if p.Exp.Word == nil {
			return "", true
		}
		return s.field(p.Exp.Word)
	}
	switch p.Exp.Op {
	case syntax.DefaultUnset:
		if set {
			return value, true
		}
		return word()
	case syntax.DefaultUnsetOrNull:
		if value != "" {
			return value, true
		}
		return word()
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		if !set || value == "" && p.Exp.Op == syntax.AlternateUnsetOrNull {
			return "", true
		}
		return word()
	case syntax.RemSmallPrefix, syntax.RemLargePrefix:
		w, ok := word()
		return strings.TrimPrefix(value, w), ok
	case syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		w, ok := word()
		return strings.TrimSuffix(value, w), ok
	}
	return "", false
}

// slice is ${NAME:FROM:COUNT} of plain numbers.
func slice(value string, s *syntax.Slice) (string, bool) {
	number := func(e syntax.ArithmExpr, missing int) (int, bool) {
		if e == nil {
			return missing, true
		}
		w, ok := e.(*syntax.Word)
		if !ok {
			return 0, false
		}
		n, err := strconv.Atoi(w.Lit())
		return n, err == nil && n >= 0
	}
	from, ok := number(s.Offset, 0)
	count, fine := number(s.Length, len(value))
	if !ok || !fine {
		return "", false
	}
	from = min(from, len(value))
	return value[from:min(len(value), from+count)], true
}

func (s *shellRun) variable(name string) (value string, set, ok bool) {
	if n, err := strconv.Atoi(name); err == nil {
		switch {
		case n == 0:
			return s.name, true, true
		case s.noArgs != "":
			return "", false, false
		case n > len(s.args):
			return "", false, true
		}
		return s.args[n-1], true, true
	}
	if s.st.unknown[name] {
		return "", false, false
	}
	switch name {
	case "BASH_SOURCE":
		return s.name, true, true
	case "@", "*", "#", "?", "$", "!", "-", "_", "PWD", "HOME", "RANDOM", "HOSTNAME", "UID", "EUID", "PPID", "IFS", "OLDPWD", "SHELL", "USER", "LOGNAME", "BASH", "SECONDS", "LINENO", "REPLY", "OPTARG", "OPTIND":
		return "", false, false
	}
	value, set = s.st.env[name]
	return value, set, true
}
