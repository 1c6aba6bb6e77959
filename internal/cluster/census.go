package cluster

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
)

const (
	smallCluster = 100 // as many nodes are read whole, in one page
	fullPage     = 500 // that of kubectl
	firstProbe   = 10  // of real nodes, long enough for the server to compress
	nextProbe    = 100
	atOnce       = 4 // requests to one server
)

// A nodeKind is what nodes have in common by their labels. An empty part means
// that there is no label.
type nodeKind struct {
	os, arch string
	term     int // the first term of the workload's node affinity that matches
}

// maxNodeKinds is how many kinds of nodes a cluster may have: each costs requests.
const maxNodeKinds = 200

// A census is how many nodes there are of each kind, by their labels alone.
type census struct {
	total   int
	kinds   map[nodeKind]int
	virtual int
	example string               // one that is virtual
	ruled   map[[2]string]*Group // out by the workload's rules on labels
}

// census reads the metadata of all nodes.
func (s *Server) census(ctx context.Context, f *Filter) (*census, error) {
	var c *census
	_, err := s.list(ctx, listing{selector: f.selector(), metadata: true, keep: f.Workload.keys()}, sink{
		start: func() { c = &census{kinds: map[nodeKind]int{}, ruled: map[[2]string]*Group{}} },
		each: func(n *Node) {
			c.total++
			c.add(f, n)
		},
		refuse: func() error {
			if len(c.kinds) > maxNodeKinds {
				return exit.Failf("reading nodes of %s: they have labels of more than %d platforms", s.name, maxNodeKinds)
			}
			return nil
		},
	})
	return c, err
}

func (c *census) add(f *Filter, n *Node) {
	if n.virtual() && !f.takesVirtual() {
		if c.virtual == 0 || n.Name < c.example {
			c.example = n.Name
		}
		c.virtual++
		return
	}
	k := nodeKind{os: n.Labels[osLabel], arch: n.Labels[archLabel]}
	if f.Workload != nil {
		p, labelled, _ := n.platform()
		on := p.String()
		if !labelled {
			p, on = platform.Platform{}, "" // status may tell
		}
		if why := f.Workload.mismatch(n.Name, n.Labels, p); why != "" {
			group(c.ruled, on, why, n.Name).count(1, 0)
			return
		}
		k.term = f.Workload.term(n)
	}
	c.kinds[k]++
}

// everything reads all nodes whole.
func (s *Server) everything(ctx context.Context, f Filter) (*tally, error) {
	var t *tally
	_, err := s.list(ctx, listing{selector: f.selector(), limit: fullPage}, sink{
		start: func() { t = newTally(f) },
		each:  func(n *Node) { t.add(n) },
	})
	return t, err
}

// sample reads, of each kind of nodes, as many whole ones as it takes to find
// one that takes the workload.
func (s *Server) sample(ctx context.Context, f Filter, c *census) (*tally, error) {
	sum := newTally(f)
	sum.leftOut = c.ruled
	if c.virtual > 0 {
		group(sum.leftOut, "", leftVirtual, c.example).count(c.virtual, 0)
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, k := range slices.SortedFunc(maps.Keys(c.kinds), nodeKind.compare) {
		g.Go(func() error {
			t, err := s.probe(ctx, f, k)
			if err != nil {
				return err
			}
			if t.partial { // what was read stands for the kind
				t.leftOut, t.notes = nil, nil
				for _, o := range t.offers {
					o.Nodes = c.kinds[k]
				}
			}
			mu.Lock()
			defer mu.Unlock()
			sum.merge(t)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return sum, nil
}

// probe reads nodes of a kind until one takes the workload and nothing is odd
// about it: a few first, then larger pages. The limit of a list must not
// change between its pages, so these are two lists.
func (s *Server) probe(ctx context.Context, f Filter, k nodeKind) (*tally, error) {
	selector, fields, err := f.of(k)
	if err != nil {
		return nil, err
	}
	var t *tally
	to := sink{
		start: func() { t = newTally(f) },
		each: func(n *Node) {
			if f.Workload.term(n) == k.term { // the others are of another kind, or counted
				t.add(n)
			}
		},
		enough: func() bool { return true },
	}
	for _, limit := range []int{firstProbe, nextProbe} {
		more, err := s.list(ctx, listing{selector: selector, fields: fields, limit: limit}, to)
		if err != nil {
			return nil, err
		}
		t.partial = more
		if !more || t.plain() {
			break
		}
		to.enough = func() bool { return t.plain() }
	}
	return t, nil
}

func (k nodeKind) compare(l nodeKind) int {
	return cmp.Or(slices.Compare([]string{k.os, k.arch}, []string{l.os, l.arch}), k.term-l.term)
}

// selector returns the filter's selector as the API takes it.
func (f *Filter) selector() string {
	if f.Selector == nil {
		return ""
	}
	return f.Selector.String()
}

// of narrows the filter's selector to nodes of a kind that are not virtual, by
// labels and by fields.
func (f *Filter) of(k nodeKind) (byLabels, byFields string, err error) {
	sel := labels.Everything()
	if f.Selector != nil {
		sel = f.Selector.DeepCopySelector()
	}
	if !f.takesVirtual() {
		r, _ := labels.NewRequirement(virtualLabel, selection.NotEquals, []string{virtualValue}) // both are valid
		sel = sel.Add(*r)
	}
	for _, l := range [][2]string{{archLabel, k.arch}, {osLabel, k.os}} {
		op, values := selection.DoesNotExist, []string(nil)
		if l[1] != "" {
			op, values = selection.Equals, []string{l[1]}
		}
		r, err := labels.NewRequirement(l[0], op, values)
		if err != nil {
			return "", "", fmt.Errorf("reading nodes: label %s: %w", l[0], err)
		}
		sel = sel.Add(*r)
	}
	rules, fields := f.Workload.rules(k.term)
	for _, rule := range rules {
		// What the API server cannot select by is judged node by node.
		if op, ok := selectors[rule.Operator]; ok {
			if r, err := labels.NewRequirement(rule.Key, op, rule.Values); err == nil {
				sel = sel.Add(*r)
			}
		}
	}
	return sel.String(), strings.Join(fields, ","), nil
}

var selectors = map[string]selection.Operator{
	"In": selection.In, "NotIn": selection.NotIn, "Exists": selection.Exists, "DoesNotExist": selection.DoesNotExist,
	"Gt": selection.GreaterThan, "Lt": selection.LessThan,
}
