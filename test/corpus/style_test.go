package corpus_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// A field is an entry of a mapping, which has an order.
type field struct {
	key   string
	value any // string, []any, []field, nil
}

// A scribe writes YAML in ways that chance picks.
type scribe struct {
	*rand.Rand
	b    strings.Builder
	step int
	seq  int // indentation of a dash below its key
}

func (s *scribe) one(of ...string) string { return of[s.IntN(len(of))] }

func (s *scribe) text(v string) string {
	switch s.IntN(4) {
	case 0:
		b, _ := json.Marshal(v)
		return string(b)
	case 1:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case 2:
		if s.IntN(8) == 0 {
			return "!!str " + fmt.Sprintf("%q", v)
		}
	}
	if v == "" || strings.ContainsAny(v[:1], "0123456789-") {
		return `"` + v + `"`
	}
	return v
}

func (s *scribe) key(k string) string {
	switch s.IntN(20) {
	case 0:
		return "'" + k + "'"
	case 1:
		return `"` + k + `"`
	case 2: // with an escape
		return fmt.Sprintf(`"\u%04x%s"`, k[0], k[1:])
	}
	return k
}

func (s *scribe) comment() {
	switch s.IntN(12) {
	case 0:
		s.b.WriteString(" # c: [")
	case 1:
		s.b.WriteString(" ")
	}
}

func (s *scribe) flow(v any) string {
	switch v := v.(type) {
	case []field:
		var parts []string
		for _, f := range v {
			parts = append(parts, s.key(f.key)+": "+s.flow(f.value))
		}
		return "{" + s.one("", " ") + strings.Join(parts, s.one(", ", " , ")) + s.one("", " ") + "}"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, s.flow(e))
		}
		return "[" + strings.Join(parts, s.one(", ", ",  ")) + "]"
	case nil:
		return "null"
	}
	return s.text(v.(string))
}

func (s *scribe) block(v any, indent int) {
	pad := strings.Repeat(" ", indent)
	switch v := v.(type) {
	case []field:
		for i, f := range v {
			if i > 0 {
				s.b.WriteString(pad)
			}
			s.b.WriteString(s.key(f.key) + ":")
			s.value(f.value, indent)
			if s.IntN(30) == 0 {
				s.b.WriteString(s.one("\n", pad+"# between\n", "# left\n"))
			}
		}
	}
}

// value writes what follows a key's colon.
func (s *scribe) value(v any, indent int) {
	inline := s.IntN(5) == 0
	switch l := v.(type) {
	case []field:
		if len(l) == 0 || inline {
			s.b.WriteString(" " + s.flow(v))
			s.comment()
			s.b.WriteString("\n")
			return
		}
		s.comment()
		s.b.WriteString("\n" + strings.Repeat(" ", indent+s.step))
		s.block(l, indent+s.step)
	case []any:
		if len(l) == 0 || inline {
			s.b.WriteString(" " + s.flow(v) + "\n")
			return
		}
		s.b.WriteString("\n")
		for _, item := range l {
			dash := indent + s.seq
			s.b.WriteString(strings.Repeat(" ", dash) + "-" + strings.Repeat(" ", s.step-1))
			if m, ok := item.([]field); ok && len(m) > 0 && s.IntN(4) > 0 {
				s.block(m, dash+s.step)
				continue
			}
			s.b.WriteString(s.flow(item))
			s.comment()
			s.b.WriteString("\n")
		}
	case nil:
		s.b.WriteString(s.one("", " null", " ~") + "\n")
	default:
		s.b.WriteString(" " + s.text(l.(string)))
		s.comment()
		s.b.WriteString("\n")
	}
}

// plain makes of fields what encoding/json takes.
func plain(v any) any {
	switch v := v.(type) {
	case []field:
		m := map[string]any{}
		for _, f := range v {
			m[f.key] = plain(f.value)
		}
		return m
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, plain(e))
		}
		return out
	}
	return v
}

// document writes a document in some style: block, flow, JSON on one line or many.
func (s *scribe) document(fields []field) string {
	s.b.Reset()
	s.step, s.seq = 2+s.IntN(3), s.IntN(3)
	switch s.IntN(6) {
	case 0:
		return s.flow(fields) + "\n"
	case 1:
		b, _ := json.Marshal(plain(fields))
		return string(b) + "\n"
	case 2:
		b, _ := json.MarshalIndent(plain(fields), "", s.one("  ", "    ", "\t"))
		return string(b) + "\n"
	}
	s.block(fields, 0)
	return s.b.String()
}

// pod makes up a Pod. Its rules leave a node of linux/amd64, which every image
// has; a rule that left none would be an error, as it should.
func (s *scribe) pod(i int) []field {
	var spec []field
	if s.IntN(3) == 0 {
		spec = append(spec, field{"nodeSelector", []field{{s.one("kubernetes.io/os", "zone"), ""}}})
		sel := spec[0].value.([]field)
		sel[0].value = map[string]string{"kubernetes.io/os": "linux", "zone": "a"}[sel[0].key]
	}
	requirement := func(keys ...string) []field {
		key := s.one(keys...)
		values := map[string][]string{"zone": {"a", "b"}, "gpus": {"1", "4"}, "kubernetes.io/arch": {"amd64", "arm64", "s390x"}, "kubernetes.io/os": {"linux", "windows"}, "beta.kubernetes.io/arch": {"amd64", "arm64"}}[key]
		switch s.IntN(4) {
		case 0:
			return []field{{"key", key}, {"operator", s.one("Exists", "DoesNotExist")}}
		case 1:
			return []field{{"key", key}, {"operator", "NotIn"}, {"values", []any{s.one(values...)}}}
		}
		return []field{{"key", key}, {"operator", "In"}, {"values", []any{s.one(values...), s.one(values...)}}}
	}
	if s.IntN(3) > 0 {
		terms := []any{[]field{{"matchExpressions", []any{[]field{{"key", "zone"}, {"operator", s.one("Exists", "DoesNotExist")}}}}}} // possible
		for range s.IntN(3) {
			var expressions []any
			for range s.IntN(3) {
				expressions = append(expressions, requirement("zone", "kubernetes.io/arch", "kubernetes.io/os", "beta.kubernetes.io/arch"))
			}
			term := []field{{"matchExpressions", expressions}}
			if s.IntN(4) == 0 {
				term = append(term, field{"matchFields", []any{[]field{{"key", "metadata.name"}, {"operator", "In"}, {"values", []any{s.one("node-0", "node-3")}}}}})
			}
			terms = append(terms, term)
		}
		node := []field{{"requiredDuringSchedulingIgnoredDuringExecution", []field{{"nodeSelectorTerms", terms}}}}
		if s.IntN(4) == 0 {
			node = append(node, field{"preferredDuringSchedulingIgnoredDuringExecution", []any{}})
		}
		spec = append(spec, field{"affinity", []field{{"nodeAffinity", node}}})
	} else if s.IntN(4) == 0 {
		spec = append(spec, field{"affinity", []any{[]field(nil), any(nil), []field{{"podAffinity", []field{}}}}[s.IntN(3)]})
	}
	var containers []any
	for n := range 1 + s.IntN(3) {
		containers = append(containers, []field{{"name", fmt.Sprint("c", n)}, {"image", s.one("r.io/a", "r.io/b/c", "r.io/d", "e", "r.io/f")}})
	}
	spec = append(spec, field{"containers", containers})
	s.Shuffle(len(spec), func(i, j int) { spec[i], spec[j] = spec[j], spec[i] })
	object := []field{{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", []field{{"name", fmt.Sprint("p", i)}}}, {"spec", spec}}
	if s.IntN(3) == 0 {
		object = []field{{"kind", "Deployment"}, {"apiVersion", "apps/v1"}, {"spec", []field{{"selector", []field{}}, {"template", []field{{"spec", spec}}}}}}
	}
	return object
}

// nulls are what an affinity takes the place of.
var nulls = regexp.MustCompile(`(ffinity["']?:)[ \t]*(?:null|~)`)

// TestTheLawInAnyStyle runs the program on 10,000 Pods, in ways of writing YAML
// that chance picked, and asks the scheduler's own code about each.
func TestTheLawInAnyStyle(t *testing.T) {
	const count = 10_000
	s := &scribe{Rand: rand.New(rand.NewPCG(1, 2))}
	var in bytes.Buffer
	for i := range count {
		in.WriteString("---\n" + s.document(s.pod(i)))
	}
	argv := []string{"--quiet"}
	for _, image := range []string{"r.io/a", "r.io/b/c", "r.io/d", "e", "r.io/f"} {
		argv = append(argv, "--image="+image+"=;"+strings.Join(platformsOf(image), ","))
	}
	out, errs, code := inject(t, in.Bytes(), argv...)
	if code != 0 {
		t.Fatalf("code %d\n%s", code, errs)
	}
	if !within(nulls.ReplaceAll(in.Bytes(), []byte("$1")), out) {
		t.Error("bytes are lost")
	}
	if again, errs, code := inject(t, out, argv...); code != 0 || !bytes.Equal(again, out) {
		t.Errorf("the second run, code %d, changes something\n%s", code, errs)
	}
	before, ok := documents(in.Bytes())
	after, okAfter := documents(out)
	if !ok || !okAfter || len(before) != len(after) {
		t.Fatalf("%d documents became %d", len(before), len(after))
	}
	judged, bad := 0, 0
	for i := range before {
		var found []visited
		pods("", "", "", before[i], after[i], &found)
		for _, v := range found {
			judged++
			if why := unlawful(v); why != "" {
				if bad++; bad < 5 {
					t.Errorf("document %d: %s\n%v\n%v", i, why, v.before, v.after)
				}
			}
		}
	}
	if judged != count || bad > 0 {
		t.Errorf("%d of %d Pods were judged, %d are unlawful", judged, count, bad)
	}
}
