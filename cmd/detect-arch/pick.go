package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/cluster"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/text"
)

// An offer is a platform, the nodes it has in all clusters, and the taints
// that go with it.
type offer struct {
	platform platform.Platform
	nodes    int
	taints   []string
}

// merge gives what any of the clusters offers, sorted by platform.
func merge(surveys []*cluster.Survey) []offer {
	var all []offer
	for _, s := range surveys {
		for _, o := range s.Offers {
			i := slices.IndexFunc(all, func(a offer) bool { return a.platform == o.Platform })
			if i < 0 {
				i = len(all)
				all = append(all, offer{platform: o.Platform})
			}
			all[i].nodes += o.Nodes
			for _, t := range o.Taints {
				all[i].taints = append(all[i].taints, t.String())
			}
		}
	}
	for i := range all {
		slices.Sort(all[i].taints)
		all[i].taints = slices.Compact(all[i].taints)
	}
	slices.SortFunc(all, func(a, b offer) int { return a.platform.Compare(b.platform) })
	return all
}

// pick narrows the offers to --platform and chooses among them by --choose. A
// platform that is asked for with a variant keeps it: no label tells it.
func (c *config) pick(offered []offer) ([]offer, error) {
	if len(c.platforms) > 0 {
		var wanted []offer
		var missing platform.List
		for _, p := range c.platforms {
			i := slices.IndexFunc(offered, func(o offer) bool { return o.platform == p.Node() })
			if i < 0 {
				missing = append(missing, p)
				continue
			}
			wanted = append(wanted, offer{p, offered[i].nodes, offered[i].taints})
		}
		if len(missing) > 0 {
			return nil, exit.Impossiblef("choosing platforms: no node takes the workload on %s; the nodes offer %s", missing, list(offered)).
				Hint("leave %s out of --platform, or add nodes", missing)
		}
		offered = wanted
	}
	return choose(c.choose, offered, runtime.GOARCH)
}

// choose gives all offers or one of them. The host counts by architecture
// alone: a Mac builds and runs linux/arm64 in its virtual machine.
func choose(how string, offered []offer, arch string) ([]offer, error) {
	if how == "all" {
		return offered, nil
	}
	i := slices.IndexFunc(offered, func(o offer) bool { return o.platform == platform.Platform{OS: "linux", Arch: arch} })
	if i < 0 {
		i = slices.IndexFunc(offered, func(o offer) bool { return o.platform.Arch == arch })
	}
	if i < 0 && how == "host" {
		return nil, exit.Impossiblef("choosing the platform of this host: no node takes the workload on %s; the nodes offer %s", arch, list(offered)).
			Hint("--choose one takes the platform with most nodes instead")
	}
	if i < 0 || how == "most" {
		i = 0
		for j, o := range offered {
			if o.nodes > offered[i].nodes {
				i = j
			}
		}
	}
	return offered[i : i+1], nil
}

func list(offers []offer) platform.List {
	var ps []platform.Platform
	for _, o := range offers {
		ps = append(ps, o.platform)
	}
	return platform.NewList(ps...)
}

// nothing is the error for clusters where the workload can run nowhere.
func nothing(surveys []*cluster.Survey) error {
	var why, names []string
	for _, s := range surveys {
		names = append(names, s.Cluster)
		for _, g := range s.LeftOut {
			why = append(why, fmt.Sprintf("%s %s", text.Count(g.Nodes, "node"), g.Reason))
		}
	}
	where := strings.Join(names, ", ")
	if len(why) == 0 {
		return exit.Impossiblef("reading nodes of %s: there are none", where)
	}
	return exit.Impossiblef("reading nodes of %s: none takes the workload: %s", where, strings.Join(why, ", "))
}

// tell says what was seen in a cluster.
func tell(log *command.Log, s *cluster.Survey) {
	var parts []string
	for _, o := range s.Offers {
		parts = append(parts, fmt.Sprintf("%s on %s", text.Count(o.Nodes, "node"), o.Platform))
	}
	if len(parts) > 0 {
		log.Infof("%s: %s", s.Cluster, strings.Join(parts, ", "))
	}
	for _, g := range s.LeftOut {
		log.Infof("%s: left out: %s", s.Cluster, group(g))
	}
	for _, g := range s.Notes {
		log.Infof("%s: %s", s.Cluster, group(g))
	}
}

// group gives a group of nodes as words: "2 nodes on linux/arm64 cordoned (for example n1)".
func group(g cluster.Group) string {
	s := text.Count(g.Nodes, "node")
	if g.Platform != "" {
		s += " on " + g.Platform
	}
	return fmt.Sprintf("%s %s (for example %s)", s, g.Reason, g.Example)
}
