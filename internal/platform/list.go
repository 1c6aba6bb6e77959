package platform

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A List is a set of platforms, sorted and without duplicates.
type List []Platform

// NewList sorts ps and drops duplicates; ps itself stays as it is.
func NewList(ps ...Platform) List {
	l := slices.Clone(ps)
	slices.SortFunc(l, Platform.Compare)
	return List(slices.Compact(l))
}

// ParseList reads platforms separated by commas, white space or both, or a
// JSON array of strings. A list without a platform is an error.
func ParseList(s string) (List, error) {
	words, err := words(s)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("parsing a list of platforms: it is empty; write for example linux/amd64,linux/arm64")
	}
	var ps []Platform
	for _, w := range words {
		p, err := Parse(w)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return NewList(ps...), nil
}

func words(s string) ([]string, error) {
	if t := strings.TrimSpace(s); strings.HasPrefix(t, "[") {
		var a []string
		if err := json.Unmarshal([]byte(t), &a); err != nil {
			return nil, fmt.Errorf("parsing a list of platforms: it starts with [ and is no JSON array of strings: %w", err)
		}
		return a, nil
	}
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }), nil
}

// String returns the platforms separated by commas.
func (l List) String() string { return strings.Join(l.Strings(), ",") }

// Strings returns each platform as a string.
func (l List) Strings() []string {
	s := make([]string, len(l))
	for i, p := range l {
		s[i] = p.String()
	}
	return s
}

// Set makes a *List a flag.Value; naming the flag again adds platforms. A
// blank value adds none: pipelines pass one for a parameter that is not given.
func (l *List) Set(s string) error {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	more, err := ParseList(s)
	if err != nil {
		return err
	}
	*l = l.Union(more)
	return nil
}

// Repeatable marks a flag that can be given several times.
func (l *List) Repeatable() {}

// Contains reports whether p itself is in the list.
func (l List) Contains(p Platform) bool {
	_, ok := slices.BinarySearchFunc(l, p, Platform.Compare)
	return ok
}

// Covers reports whether p is what one of the list asks for.
func (l List) Covers(p Platform) bool {
	return slices.ContainsFunc(l, func(q Platform) bool { return q.Covers(p) })
}

// Union returns the platforms that are in l or in m.
func (l List) Union(m List) List { return NewList(slices.Concat(l, m)...) }

// Intersect returns the platforms that are in l and in m.
func (l List) Intersect(m List) List {
	return slices.DeleteFunc(slices.Clone(l), func(p Platform) bool { return !m.Contains(p) })
}

// Nodes returns the platforms as node labels can state them.
func (l List) Nodes() List {
	ps := make([]Platform, len(l))
	for i, p := range l {
		ps[i] = p.Node()
	}
	return NewList(ps...)
}

// Arches returns the architectures, sorted, each once.
func (l List) Arches() []string {
	var as []string
	for _, p := range l {
		as = append(as, p.Arch)
	}
	slices.Sort(as)
	return slices.Compact(as)
}

// MarshalText makes a platform a string in JSON.
func (p Platform) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Platform) UnmarshalText(b []byte) (err error) {
	*p, err = Parse(string(b))
	return err
}
