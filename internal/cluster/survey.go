package cluster

import (
	"cmp"
	"maps"
	"slices"

	"github.com/polyarch/polyarch/internal/platform"
)

// A Survey is what was found out about the nodes of one cluster.
type Survey struct {
	Cluster string  `json:"cluster"`
	Offers  []Offer `json:"offers"`  // by platform; those that can take the workload
	LeftOut []Group `json:"leftOut"` // nodes that do not take the workload
	Notes   []Group `json:"notes"`   // nodes that do, and are odd
}

// An Offer is a platform that the workload can run on.
type Offer struct {
	Platform platform.Platform `json:"platform"`
	Nodes    int               `json:"nodes"`  // that take the workload
	Taints   []Taint           `json:"taints"` // on the architecture, to be tolerated
}

// A Group is nodes that have the same said of them.
type Group struct {
	Platform string `json:"platform"` // empty where it is not known
	Reason   string `json:"reason"`
	Nodes    int    `json:"nodes"`
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
	offers  map[platform.Platform]*Offer
	leftOut map[[2]string]*Group
	notes   map[[2]string]*Group
}

func newTally(f Filter) *tally {
	return &tally{f, map[platform.Platform]*Offer{}, map[[2]string]*Group{}, map[[2]string]*Group{}}
}

// add counts a node if the filter's selector selects it.
func (t *tally) add(n *Node) {
	if !t.filter.selects(n) {
		return
	}
	v := t.filter.judge(n)
	name := ""
	if v.platform != (platform.Platform{}) {
		name = v.platform.String()
	}
	if v.leftOut != "" {
		count(t.leftOut, name, v.leftOut, n.Name)
		return
	}
	if v.note != "" {
		count(t.notes, name, v.note, n.Name)
	}
	o := t.offers[v.platform]
	if o == nil {
		o = &Offer{Platform: v.platform}
		t.offers[v.platform] = o
	}
	o.Nodes++
	for _, taint := range v.taints {
		if !slices.Contains(o.Taints, taint) {
			o.Taints = append(o.Taints, taint)
		}
	}
}

func count(groups map[[2]string]*Group, platform, reason, node string) {
	g := groups[[2]string{platform, reason}]
	if g == nil {
		g = &Group{Platform: platform, Reason: reason, Example: node}
		groups[[2]string{platform, reason}] = g
	}
	g.Nodes++
	g.Example = min(g.Example, node) // the same in whatever order nodes come
}

// survey gives the sums, in an order that depends on the nodes alone.
func (t *tally) survey(cluster string) *Survey {
	s := &Survey{Cluster: cluster, Offers: []Offer{}, LeftOut: sorted(t.leftOut), Notes: sorted(t.notes)}
	for _, o := range t.offers {
		slices.SortFunc(o.Taints, func(a, b Taint) int { return cmp.Compare(a.String(), b.String()) })
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
