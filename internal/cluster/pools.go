package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// A pool makes nodes when pods wait for them; now it may have none.
type pool struct {
	name     string            // for people: "NodePool arm"
	labels   map[string]values // of its nodes, but for os and arch
	anyOf    func(string) bool // the labels that all its nodes have, with values that it does not say; nil for none
	taints   []pod.Taint
	capacity map[string]quantity // of a node; nil if it is not known
	off      string              // why it makes no nodes; empty if it does
	notes    []string            // what is odd about it
	makes    []made
	unknown  string // why it is not known what it makes
}

// A made is a platform of the nodes that a pool makes.
type made struct {
	platform platform.Platform
	off      string // why it does not make such nodes, although it says so
	note     string // what the platform was taken from, if not from what the pool says
}

// matches reports whether a node of the pool with the platform may meet all of
// the requirements on labels.
func (p *pool) matches(on platform.Platform, requirements []pod.Requirement) bool {
	asked := map[string]values{}
	for _, r := range requirements {
		k := modern(r.Key)
		v, seen := asked[k]
		if !seen {
			v = p.label(k, on)
		}
		if asked[k] = v.and(r); !asked[k].possible() {
			return false
		}
	}
	return true
}

func (p *pool) label(key string, on platform.Platform) values {
	switch key {
	case osLabel:
		return exactly(on.OS)
	case archLabel:
		return exactly(on.Arch)
	}
	if v, ok := p.labels[key]; ok {
		return v
	}
	if p.anyOf != nil && p.anyOf(key) {
		return anyValue
	}
	return absent
}

// addPool counts a pool for each platform that it makes nodes of, by the
// filter's verdict on such a node.
func (t *tally) addPool(p *pool) {
	asked := requirementsOf(t.filter.Selector)
	if len(p.makes) == 0 && p.unknown != "" && p.matches(platform.Platform{}, withoutPlatform(asked)) {
		group(t.leftOut, "", p.unknown, p.name).count(0, 1)
	}
	for _, m := range p.makes {
		if p.matches(m.platform, asked) {
			t.count(p.name, t.filter.judgePool(p, m), 0, 1)
		}
	}
}

func withoutPlatform(rs []pod.Requirement) []pod.Requirement {
	return slices.DeleteFunc(slices.Clone(rs), func(r pod.Requirement) bool { k := modern(r.Key); return k == osLabel || k == archLabel })
}

// An objectKind is a kind of object that is listed.
type objectKind struct {
	group, kind string
	called      string // for people, in the plural
}

// A catalog lists the objects of a cluster, or of a record of one.
type catalog interface {
	// objects calls visit for each object of a kind. Served is false if the
	// cluster does not know the kind.
	objects(ctx context.Context, k objectKind, visit func(json.RawMessage)) (served bool, err error)
}

// A poolReader reads pools from a catalog into a tally.
type poolReader struct {
	from   catalog
	to     *tally
	failed []error // kinds of pools that are served and could not be read
	read   bool    // a kind of pools was read
}

// addPools counts the pools of all providers. If one kind cannot be read, that
// is a warning; if none can, it is an error.
func (t *tally) addPools(ctx context.Context, from catalog) error {
	r := &poolReader{from: from, to: t}
	for _, provider := range []func(context.Context){r.karpenter, r.machines, r.computeClasses} {
		provider(ctx)
		if ctx.Err() != nil && len(r.failed) > 0 {
			return r.failed[len(r.failed)-1]
		}
	}
	if len(r.failed) > 0 && !r.read {
		return r.failed[0]
	}
	for _, err := range r.failed {
		t.warn("%s; going on without them", err)
	}
	t.sayWhatNoObjectTells()
	return nil
}

// pools lists a kind of pools.
func (r *poolReader) pools(ctx context.Context, k objectKind, visit func(json.RawMessage) error) {
	served, err := r.from.objects(ctx, k, r.tolerant(k, visit))
	if err != nil {
		r.failed = append(r.failed, err)
	} else if served {
		r.read = true
	}
}

// details lists a kind of objects that say more about pools. Without them pools
// are judged by what they say themselves.
func (r *poolReader) details(ctx context.Context, k objectKind, visit func(json.RawMessage) error) (known bool) {
	served, err := r.from.objects(ctx, k, r.tolerant(k, visit))
	if err != nil {
		r.to.warn("%s; going on without them", err)
	}
	return served && err == nil
}

// tolerant turns an object of an unexpected form into a warning.
func (r *poolReader) tolerant(k objectKind, visit func(json.RawMessage) error) func(json.RawMessage) {
	return func(raw json.RawMessage) {
		if err := visit(raw); err != nil {
			var o struct{ Metadata struct{ Name string } }
			_ = json.Unmarshal(raw, &o) // the name is for people, and may be missing
			r.to.warn("reading %s %s: %v; going on without it", k.kind, o.Metadata.Name, err)
		}
	}
}

// maxWarnings bounds the warnings about objects that cannot be read.
const maxWarnings = 20

func (t *tally) warn(format string, args ...any) {
	if len(t.warnings) < maxWarnings {
		t.warnings = append(t.warnings, brief(fmt.Sprintf(format, args...)))
	}
}

// meta is what matters of the metadata of any object.
type meta struct {
	Name, Namespace                      string
	Labels, Annotations                  map[string]string
	CreationTimestamp, DeletionTimestamp string
	OwnerReferences                      []struct{ Kind string }
}
