package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/cluster"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
)

// An offer is a platform, the nodes it has in all clusters, and the taints
// that go with it.
type offer struct {
	platform platform.Platform
	nodes    int
	taints   []string
	clusters int // that offer it
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
			all[i].clusters++
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

// errCounts is the error of a choice that needs exact counts of nodes.
var errCounts = errors.New("choosing a platform: not every node was read")

// pick narrows what the clusters offer to --common and --platform, and chooses
// among it by --choose. A platform that is asked for with a variant keeps it:
// no label tells it. Missing are those that only --allow-missing keeps.
func (c *config) pick(surveys []*cluster.Survey) (chosen []offer, missing platform.List, err error) {
	offered := merge(surveys)
	if c.common {
		offered = slices.DeleteFunc(offered, func(o offer) bool { return o.clusters < len(surveys) })
		if len(offered) == 0 {
			return nil, nil, exit.Impossiblef("choosing platforms: none is common to all clusters: %s", each(surveys)).
				Hint("leave out --common for the platforms of any of them")
		}
	}
	if len(c.platforms) > 0 {
		var wanted []offer
		for _, p := range c.platforms {
			i := slices.IndexFunc(offered, func(o offer) bool { return o.platform == p.Node() })
			if i < 0 {
				missing = append(missing, p)
				wanted = append(wanted, offer{platform: p})
				continue
			}
			o := offered[i]
			o.platform = p
			wanted = append(wanted, o)
		}
		if len(missing) > 0 && !c.allowMissing {
			return nil, nil, exit.Impossiblef("choosing platforms: no node takes the workload on %s; the nodes offer %s", missing, list(offered)).
				Hint("leave %s out of --platform, add such nodes, or keep it with --allow-missing if the cluster emulates it", missing)
		}
		offered = wanted
	}
	exact := !slices.ContainsFunc(surveys, func(s *cluster.Survey) bool { return !s.Whole })
	chosen, err = choose(c.choose, offered, runtime.GOARCH, exact)
	return chosen, missing, err
}

// choose returns all offers or one of them. The host counts by architecture
// alone: a Mac builds and runs linux/arm64 in its virtual machine.
func choose(how string, offered []offer, arch string, exact bool) ([]offer, error) {
	if how == "all" || len(offered) == 1 {
		return offered, nil
	}
	i := slices.IndexFunc(offered, func(o offer) bool { return o.platform.OS == "linux" && o.platform.Arch == arch })
	if i < 0 {
		i = slices.IndexFunc(offered, func(o offer) bool { return o.platform.Arch == arch })
	}
	if i < 0 {
		if !exact {
			return nil, errCounts
		}
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

// each gives what each of the clusters offers, as words.
func each(surveys []*cluster.Survey) string {
	var parts []string
	for _, s := range surveys {
		has := s.Platforms().String()
		if has == "" {
			has = "nothing"
		}
		parts = append(parts, fmt.Sprintf("%s has %s", s.Cluster, has))
	}
	return strings.Join(parts, ", ")
}

// empty gives the error for clusters where the workload can run nowhere.
func (c *config) empty(surveys []*cluster.Survey) error {
	if len(merge(surveys)) > 0 {
		return nil
	}
	var why, names []string
	for _, s := range surveys {
		names = append(names, s.Cluster)
		for _, g := range s.LeftOut {
			why = append(why, group(g))
		}
	}
	where := strings.Join(names, ", ")
	if len(why) > 0 {
		return exit.Impossiblef("reading nodes of %s: none takes the workload: %s", where, strings.Join(why, "; ")).
			Hint("--toleration names a taint that the workload tolerates; --fallback says what to give instead of failing")
	}
	e := exit.Impossiblef("reading nodes of %s: there are none", where)
	if c.selector != "" {
		e = exit.Impossiblef("reading nodes of %s: none has the labels %s", where, c.selector)
	}
	if !c.nodePools && len(c.files) == 0 {
		e.Hint("--node-pools counts pools that make nodes when pods wait for them")
	}
	return e.Hint("--fallback says what to give instead of failing")
}
