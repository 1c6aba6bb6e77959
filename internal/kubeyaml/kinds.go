package kubeyaml

import (
	"maps"
	"regexp"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

// A specPath is where a kind of object holds a PodSpec.
type specPath struct {
	path []string
	form *form
	flag string // the --pod-spec that names it; "" for the table and for CRDs
}

// Kinds says where the kinds of objects hold their PodSpecs. The zero value
// knows those of the table.
type Kinds struct {
	more map[string][]specPath
}

// known is the table by kind.
var known = func() map[string][]specPath {
	m := map[string][]specPath{}
	for _, h := range holders {
		m[h.Kind] = append(m[h.Kind], specPath{path: strings.Split(h.Path, "."), form: h.form})
	}
	return m
}()

var podSpecFlag = regexp.MustCompile(`^([a-z0-9.-]*/)?([A-Z][A-Za-z0-9]*)=(` + segment + `(?:\.` + segment + `)*)$`)

const segment = `(?:\*|[A-Za-z_][A-Za-z0-9_-]*(?:\[\*\])?)`

// Add adds a place: GROUP/KIND=PATH, where PATH is keys joined by dots; a key
// followed by [*] is a list of which each item is taken, and * stands for every
// key of a mapping.
func (k *Kinds) Add(s string) error {
	m := podSpecFlag.FindStringSubmatch(s)
	if m == nil {
		return exit.Usagef("%q is not GROUP/KIND=PATH", s).
			Hint("for example example.com/Worker=spec.pools[*].template.spec")
	}
	k.add(strings.TrimSuffix(m[1], "/")+"/"+m[2], specPath{path: strings.Split(m[3], "."), flag: s})
	return nil
}

func (k *Kinds) add(kind string, p specPath) {
	more := maps.Clone(k.more)
	if more == nil {
		more = map[string][]specPath{}
	}
	more[kind] = append(more[kind], p)
	k.more = more
}

// specPaths returns where objects of a kind hold PodSpecs, the places of flags
// first.
func (k Kinds) specPaths(apiVersion, kind string) []specPath {
	if group(apiVersion) == "" && apiVersion != "v1" { // the core has this one version
		return nil
	}
	name := group(apiVersion) + "/" + kind
	ps := known[name]
	if more := k.more[name]; more != nil {
		ps = append(more[:len(more):len(more)], ps...)
	}
	return ps
}

// group returns the API group of an apiVersion: "apps" of apps/v1, "" of v1.
func group(apiVersion string) string {
	g, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return ""
	}
	return g
}
