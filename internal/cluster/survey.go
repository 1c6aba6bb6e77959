package cluster

import (
	"cmp"
	"maps"
	"slices"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// A Survey is what was found out about the nodes of one cluster.
type Survey struct {
	Cluster string  `json:"cluster"`
	Whole   bool    `json:"whole"`   // every node was read whole
	Offers  []Offer `json:"offers"`  // by platform; those that can take the workload
	LeftOut []Group `json:"leftOut"` // nodes that do not take the workload
	Notes   []Group `json:"notes"`   // nodes that do, and are odd
}

// An Offer is a platform that the workload can run on.
type Offer struct {
	Platform platform.Platform `json:"platform"`
	Nodes    int               `json:"nodes"`  // that take the workload; if not all were read whole, those with the labels
	Pools    int               `json:"pools"`  // that make such nodes
	Taints   []pod.Taint       `json:"taints"` // on the architecture, to be tolerated
}

// A Group is nodes, or pools of nodes, that have the same said of them.
type Group struct {
	Platform string `json:"platform"` // empty where it is not known
	Reason   string `json:"reason"`
	Nodes    int    `json:"nodes"`
	Pools    int    `json:"pools"`
	Example  string `json:"example"` // one of them
}

// Platforms gives the platforms that the cluster offers.
func (s *Survey) Platforms() platform.List {
	var ps []platform.Platform
	for _, o := range s.Offers {
		ps = append(ps, o.Platform)
	}
	return platform.NewList(ps...)
}

// tally adds nodes up to a Survey.
type tally struct {
	filter  Filter
	partial bool // not every node was read
	offers  map[platform.Platform]*Offer
	leftOut map[[2]string]*Group // by platform and reason
	notes   map[[2]string]*Group
}

func newTally(f Filter) *tally {
	return &tally{filter: f, offers: map[platform.Platform]*Offer{}, leftOut: map[[2]string]*Group{}, notes: map[[2]string]*Group{}}
}

// add counts a node if the filter's selector selects it.
func (t *tally) add(n *Node) {
	if t.filter.selects(n) {
		t.judge(n, 1, 0)
	}
}

// judge counts one node, or one pool that makes such nodes, where the filter's
// verdict puts it, and reports whether it is part of an offer.
func (t *tally) judge(n *Node, nodes, pools int) bool {
	v := t.filter.judge(n)
	name := ""
	if v.platform != (platform.Platform{}) {
		name = v.platform.String()
	}
	if v.leftOut != "" {
		group(t.leftOut, name, v.leftOut, n.Name).count(nodes, pools)
		return false
	}
	if v.note != "" {
		group(t.notes, name, v.note, n.Name).count(nodes, pools)
	}
	o := t.offer(v.platform)
	o.Nodes += nodes
	o.Pools += pools
	o.tolerate(v.taints)
	return true
}

func (g *Group) count(nodes, pools int) {
	g.Nodes += nodes
	g.Pools += pools
}

func (t *tally) offer(p platform.Platform) *Offer {
	o := t.offers[p]
	if o == nil {
		o = &Offer{Platform: p, Taints: []pod.Taint{}}
		t.offers[p] = o
	}
	return o
}

func (o *Offer) tolerate(taints []pod.Taint) {
	for _, t := range taints {
		if !slices.Contains(o.Taints, t) {
			o.Taints = append(o.Taints, t)
		}
	}
}

// plain reports whether a node takes the workload and nothing is odd about it.
func (t *tally) plain() bool {
	noted := 0
	for _, g := range t.notes {
		noted += g.Nodes
	}
	nodes := 0
	for _, o := range t.offers {
		nodes += o.Nodes
	}
	return nodes > noted
}

// merge adds what another tally counted.
func (t *tally) merge(u *tally) {
	t.partial = t.partial || u.partial
	for p, o := range u.offers {
		mine := t.offer(p)
		mine.Nodes += o.Nodes
		mine.Pools += o.Pools
		mine.tolerate(o.Taints)
	}
	for k, g := range u.leftOut {
		group(t.leftOut, k[0], k[1], g.Example).count(g.Nodes, g.Pools)
	}
	for k, g := range u.notes {
		group(t.notes, k[0], k[1], g.Example).count(g.Nodes, g.Pools)
	}
}

// group gives the group of a platform and a reason. Its example is the same in
// whatever order nodes come.
func group(groups map[[2]string]*Group, platform, reason, node string) *Group {
	g := groups[[2]string{platform, reason}]
	if g == nil {
		g = &Group{Platform: platform, Reason: reason, Example: node}
		groups[[2]string{platform, reason}] = g
	}
	g.Example = min(g.Example, node)
	return g
}

// survey gives the sums, in an order that depends on the nodes alone.
func (t *tally) survey(cluster string) *Survey {
	s := &Survey{Cluster: cluster, Whole: !t.partial, Offers: []Offer{}, LeftOut: sorted(t.leftOut), Notes: sorted(t.notes)}
	for _, o := range t.offers {
		slices.SortFunc(o.Taints, func(a, b pod.Taint) int { return cmp.Compare(a.String(), b.String()) })
		s.Offers = append(s.Offers, *o)
	}
	slices.SortFunc(s.Offers, func(a, b Offer) int { return a.Platform.Compare(b.Platform) })
	return s
}

func sorted(groups map[[2]string]*Group) []Group {
	list := []Group{}
	for _, g := range slices.SortedFunc(maps.Values(groups), func(a, b *Group) int {
		return cmp.Or(cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Reason, b.Reason))
	}) {
		list = append(list, *g)
	}
	return list
}
