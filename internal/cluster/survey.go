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

	Warnings []string `json:"warnings"` // what could not be read, and counts nothing
	Unknown  []string `json:"unknown"`  // what no object of the cluster tells
}

// An Offer is a platform that the workload can run on.
type Offer struct {
	Platform platform.Platform `json:"platform"`
	Nodes    int               `json:"nodes"`  // that take the workload; if not all were read whole, those with the labels
	Pools    int               `json:"pools"`  // that make such nodes
	Taints   []pod.Taint       `json:"taints"` // on the architecture, to be tolerated

	// Allocatable is what the nodes have for pods, if all were read whole.
	Allocatable Resources `json:"allocatable,omitzero"`

	// Levels is how many nodes have at least each x86-64 level, "v1" to "v4", by
	// Node Feature Discovery's labels, if all were read whole.
	Levels map[string]int `json:"levels,omitempty"`
}

// A Group is nodes, or pools of nodes, to which the same reason applies.
type Group struct {
	Platform string `json:"platform"` // empty where it is not known
	Reason   string `json:"reason"`
	Nodes    int    `json:"nodes"`
	Pools    int    `json:"pools"`
	Example  string `json:"example"` // one of them
}

// Platforms returns the platforms that the cluster offers.
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

	warnings []string
	unknown  []string
	clusters map[string]bool // of Cluster API, namespace/name, that the nodes belong to; nil without nodes
	clouds   map[int]bool    // whose nodes there are, by index
}

func newTally(f Filter) *tally {
	return &tally{filter: f, offers: map[platform.Platform]*Offer{}, leftOut: map[[2]string]*Group{}, notes: map[[2]string]*Group{}}
}

// add counts a node if the filter's selector selects it.
func (t *tally) add(n *Node) {
	t.origin(n)
	if t.filter.selects(n) {
		t.count(n.Name, t.filter.judge(n), 1, 0)
	}
}

// origin notes where a node comes from.
func (t *tally) origin(n *Node) {
	if t.clusters == nil {
		t.clusters, t.clouds = map[string]bool{}, map[int]bool{}
	}
	if n.ClusterName != "" {
		t.clusters[n.ClusterNamespace+"/"+n.ClusterName] = true
	}
	for i, c := range clouds {
		if n.Labels[c.label] != "" {
			t.clouds[i] = true
		}
	}
}

// count puts one node, or one pool that makes such nodes, where the verdict
// belongs.
func (t *tally) count(name string, v verdict, nodes, pools int) {
	on := ""
	if v.platform != (platform.Platform{}) {
		on = v.platform.String()
	}
	if v.leftOut != "" {
		group(t.leftOut, on, v.leftOut, name).count(nodes, pools)
		return
	}
	for _, note := range v.notes {
		group(t.notes, on, note, name).count(nodes, pools)
	}
	o := t.offer(v.platform)
	o.Nodes += nodes
	o.Pools += pools
	o.tolerate(v.taints)
	o.Allocatable.add(v.allocatable)
	o.level(v.levels, nodes)
}

// level counts nodes that have these levels.
func (o *Offer) level(levels []string, nodes int) {
	for _, l := range levels {
		if o.Levels == nil {
			o.Levels = map[string]int{}
		}
		o.Levels[l] += nodes
	}
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
		mine.Allocatable.add(o.Allocatable)
		for l, n := range o.Levels {
			mine.level([]string{l}, n)
		}
	}
	for k, g := range u.leftOut {
		group(t.leftOut, k[0], k[1], g.Example).count(g.Nodes, g.Pools)
	}
	for k, g := range u.notes {
		group(t.notes, k[0], k[1], g.Example).count(g.Nodes, g.Pools)
	}
	if t.clusters == nil && u.clusters != nil {
		t.clusters, t.clouds = map[string]bool{}, map[int]bool{}
	}
	maps.Copy(t.clusters, u.clusters)
	maps.Copy(t.clouds, u.clouds)
}

// maxGroups is how many groups there may be: a server chooses reasons freely.
const maxGroups = 500

// group returns the group of a platform and a reason. Its example does not
// depend on the order of the nodes.
func group(groups map[[2]string]*Group, platform, reason, node string) *Group {
	if len(groups) >= maxGroups && groups[[2]string{platform, reason}] == nil {
		platform, reason = "", "for other reasons, of which there are too many to name"
	}
	g := groups[[2]string{platform, reason}]
	if g == nil {
		g = &Group{Platform: platform, Reason: reason, Example: node}
		groups[[2]string{platform, reason}] = g
	}
	g.Example = min(g.Example, node)
	return g
}

// survey returns the sums, in an order that depends on the nodes alone.
func (t *tally) survey(cluster string) *Survey {
	s := &Survey{Cluster: cluster, Whole: !t.partial, Offers: []Offer{}, LeftOut: sorted(t.leftOut), Notes: sorted(t.notes), Warnings: t.warnings, Unknown: t.unknown}
	if s.Warnings == nil {
		s.Warnings = []string{}
	}
	if s.Unknown == nil {
		s.Unknown = []string{}
	}
	for _, o := range t.offers {
		if t.partial {
			o.Allocatable, o.Levels = Resources{}, nil
		}
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
		g.Reason, g.Example = brief(g.Reason), brief(g.Example) // names and taints that somebody else chose
		list = append(list, *g)
	}
	return list
}
