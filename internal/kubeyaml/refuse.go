package kubeyaml

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/polyarch/polyarch/internal/exit"
)

// ErrTemplate is wrapped by the errors of documents that have to be rendered
// before they are manifests.
var ErrTemplate = errors.New("it looks like a Helm template that was not rendered")

// A templateError is err, which is due to a template.
type templateError struct{ err error }

func (e *templateError) Error() string   { return ErrTemplate.Error() + ": " + e.err.Error() }
func (e *templateError) Unwrap() []error { return []error{e.err, ErrTemplate} }

// template says what is wrong with a Helm template that nobody rendered.
func template(c Chunk, err error) error {
	if !bytes.Contains(c.Bytes, []byte("{{")) {
		return err
	}
	return &templateError{err}
}

var (
	escapes  = regexp.MustCompile(`\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})`)
	folded   = regexp.MustCompile(`\\[ \t]*(?:\r\n?|\n|\x{85}|\x{2028}|\x{2029})[ \t]*`) // at YAML 1.1's line breaks
	binaries = regexp.MustCompile(`![^ \t\r\n]*(?:binary|%)`)
	anyKind  = regexp.MustCompile(`(?i)kind`)
)

// readable returns a text in which words are found that the document may write
// with the escapes of double quotes. Base64 is left as it is.
func readable(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	if escapes.Match(b) {
		b = escapes.ReplaceAllFunc(b, func(e []byte) []byte {
			n, err := strconv.ParseUint(string(e[2:]), 16, 32)
			if err != nil || n > utf8.MaxRune {
				return e
			}
			return utf8.AppendRune(nil, rune(n))
		})
	}
	if folded.Match(b) {
		b = folded.ReplaceAll(b, nil)
	}
	return b
}

// worthReading reports whether a text may hold a PodSpec, or does not look like
// a manifest. A PodSpec has containers, however written; Argo's templates have
// a container or a script.
func (r *Reader) worthReading(text []byte) bool {
	kind := bytes.Contains(text, []byte("kind"))
	switch {
	case binaries.Match(text):
		return true
	case bytes.Contains(text, []byte("containers")),
		bytes.Contains(text, []byte("argoproj.io")) && (bytes.Contains(text, []byte("container")) || bytes.Contains(text, []byte("script"))):
		return kind || r.Named || anyKind.Match(text)
	default:
		return r.Named && (!kind || !bytes.Contains(text, []byte("apiVersion")))
	}
}

// SaysWhere reports whether a chunk that is not read may say where Pods run, or
// what runs in them.
func SaysWhere(c Chunk) bool {
	text := readable(c.Bytes)
	return slices.ContainsFunc([]string{"containers", "affinity", "nodeSelector"}, func(word string) bool { return bytes.Contains(text, []byte(word)) })
}

// spelt refuses an object whose apiVersion or kind is written in other letters
// (Kind): the API server's decoders read it all the same, kubectl does not.
// https://github.com/kubernetes/apimachinery/blob/master/pkg/runtime/serializer/json/meta.go
func spelt(obj *node) error {
	words := map[string]*node{}
	var other *node
	obj.ownAndMerged(nil, func(k *node) {
		for _, word := range []string{"apiVersion", "kind"} {
			if key := k.resolve(); key.kind == scalar && strings.EqualFold(key.str(), word) {
				if words[word] = k; key.str() != word {
					other = k
				}
			}
		}
	})
	if other == nil || len(words) < 2 {
		return nil
	}
	return exit.Failf("decoders disagree on what the key %q is", other.resolve().str()).OnLine(other.line, other.col).
		Hint("write apiVersion and kind in these letters")
}

// utf16 reports whether a text starts with UTF-16's byte order mark.
func utf16(b []byte) bool {
	return bytes.HasPrefix(b, []byte{0xFF, 0xFE}) || bytes.HasPrefix(b, []byte{0xFE, 0xFF})
}

// small refuses documents that would take much memory to read. It counts what
// values begin with, also in texts.
func small(c Chunk) error {
	values := 0
	for i, b := range c.Bytes {
		switch b {
		case ',', ':', '\n', '\r', '[', '{', '?':
			values++
		case '-':
			if i+1 < len(c.Bytes) && c.Bytes[i+1] == ' ' {
				values++
			}
		}
	}
	switch {
	case len(c.Bytes) > maxRead:
		return exit.Failf("this document has more than %d MiB", maxRead>>20).OnLine(c.Line, 0).Hint(objectsAreSmall)
	case values > maxParsed:
		return exit.Failf("this document has more than %d values", maxParsed).OnLine(c.Line, 0).Hint(objectsAreSmall)
	}
	return nil
}

// refuse names encodings in which offsets would be wrong.
func refuse(c Chunk) error {
	i := -1
	if mark := []byte("\uFEFF"); bytes.Contains(c.Bytes, mark) {
		i = bytes.Index(c.Bytes, append([]byte("\n"), mark...))
	}
	switch {
	case bytes.IndexByte(c.Bytes, 0) >= 0:
		return exit.Failf("it holds a NUL byte, so it is not UTF-8 text").OnLine(c.Line, 0).Hint("save it as UTF-8")
	case i >= 0:
		line := c.Line + bytes.Count(c.Bytes[:i+1], []byte("\n"))
		return exit.Failf("it starts with a byte order mark, which would become part of the first key").OnLine(line, 0).
			Hint("remove the mark; it may stand at the start of a file only")
	}
	return nil
}

// syntax adds to a parser's error what to do about it.
func syntax(c Chunk, err error) error {
	if !utf8.Valid(c.Bytes) {
		at := 0
		for at < len(c.Bytes) {
			r, size := utf8.DecodeRune(c.Bytes[at:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			at += size
		}
		line := c.Line + bytes.Count(c.Bytes[:at], []byte("\n"))
		return exit.Failf("the byte 0x%02x is not UTF-8", c.Bytes[at]).OnLine(line, 0).
			Hint("save the file as UTF-8, for example with iconv -f latin1 -t utf-8")
	}
	var e *exit.Error
	if !errors.As(err, &e) || len(e.Hints) > 0 {
		return err
	}
	switch message := e.Error(); {
	case strings.Contains(message, "tab character") || strings.Contains(message, "found character that cannot start any token") && tabbed(c, e.Line):
		e.Hint("YAML takes no tabs as indentation; use spaces")
	case strings.Contains(message, "unknown anchor"):
		e.Hint("an anchor is known within its document, and has to stand before its aliases")
	case strings.Contains(message, "JSON"):
		e.Hint("check the commas, quotes and braces before that line")
	default:
		e.Hint("check the indentation and the quotes of that line and of the one before it; kubectl apply would refuse it too")
	}
	return err
}

// tabbed reports whether a line starts with a tab somewhere in its indentation.
func tabbed(c Chunk, line int) bool {
	lines := bytes.Split(c.Bytes, []byte("\n"))
	i := line - c.Line
	if i < 0 || i >= len(lines) {
		return false
	}
	text := bytes.TrimLeft(lines[i], " ")
	return len(text) > 0 && text[0] == '\t'
}

// keys are the keys of a mapping that decide; nil is all of them.
type keys []string

func (k keys) has(key string) bool { return k == nil || slices.Contains(k, key) }

// decides notes that keys of a mapping decide, so that each must be there once:
// decoders disagree on which of two they take. No key means all of them.
func (d *Document) decides(m *node, names ...string) error {
	if d.read == nil {
		d.read = map[*node]keys{}
	}
	if old, ok := d.read[m]; ok {
		if old == nil || len(names) == 0 {
			names = nil
		} else {
			fresh := slices.Clone(old)
			for _, name := range names {
				if !old.has(name) {
					fresh = append(fresh, name)
				}
			}
			if len(fresh) == len(old) {
				return nil
			}
			names = fresh
		}
	}
	d.read[m] = names
	if len(m.keys) < 2 {
		return nil
	}
	before := earlier{keys: m.keys}
	for i, k := range m.keys {
		if k.isMerge() { // some decoders let a later merge win
			var err error
			one := &node{kind: mapping, keys: []*node{k}, kids: []*node{m.kids[i]}}
			one.ownAndMerged(nil, func(brought *node) {
				if err == nil {
					err = d.take(brought)
				}
				r := brought.resolve()
				if own := before.find(i, r); err == nil && own != nil && keys(names).has(r.value) {
					err = exit.Failf("%s is brought in again by the merge key of line %d, and decoders disagree on which counts", r.value, k.line).OnLine(own.line, own.col).Hint("put the merge key first")
				}
			})
			if err != nil {
				return err
			}
			continue
		}
		if r := k.resolve(); r.kind == scalar && keys(names).has(r.value) && before.find(i, r) != nil {
			return twice(k, r.value)
		}
	}
	return nil
}

// earlier finds keys of a mapping that stand before others.
type earlier struct {
	keys   []*node
	at     map[string]*node // of a large mapping
	filled int              // keys that at has
}

const smallMapping = 32

// find returns a key before the i-th that is the same scalar; merge keys are none.
func (e *earlier) find(i int, key *node) *node {
	if key.kind != scalar {
		return nil
	}
	if len(e.keys) <= smallMapping {
		for _, k := range e.keys[:i] {
			if k.is(key.value) && !k.isMerge() {
				return k
			}
		}
		return nil
	}
	if e.at == nil {
		e.at = make(map[string]*node, len(e.keys))
	}
	for ; e.filled < i; e.filled++ {
		k := e.keys[e.filled]
		if r := k.resolve(); r.kind == scalar && !k.isMerge() && e.at[r.value] == nil {
			e.at[r.value] = k
		}
	}
	return e.at[key.value]
}

func twice(k *node, key string) error {
	return exit.Failf("the key %q appears twice in one mapping", key).OnLine(k.line, k.col).
		Hint("remove one of them; decoders disagree on which counts")
}

// fewKeys is up to where comparing each key with each is faster than a map.
const fewKeys = 16

// sound refuses a mapping that only looks like one, {{ .Values.image }} being a
// mapping with a mapping as its key, and notes keys that appear twice.
func (d *Document) sound(m *node) error {
	if at := m.content(d.chunk.Bytes); m.flow && bytes.HasPrefix(d.chunk.Bytes[at:], []byte("{{")) {
		return exit.Failf("{{ is not a value").OnLine(m.line, m.col)
	}
	var seen map[string]bool
	if len(m.keys) > fewKeys {
		seen = make(map[string]bool, len(m.keys))
	}
	for i, k := range m.keys {
		if k.kind != scalar || k.isMerge() {
			continue
		}
		key := k.resolve().value
		again := seen[key]
		if seen == nil {
			again = slices.ContainsFunc(m.keys[:i], func(o *node) bool { return o.is(key) })
		} else {
			seen[key] = true
		}
		if again {
			d.Duplicates = append(d.Duplicates, Duplicate{key, k.line})
		}
	}
	return nil
}
