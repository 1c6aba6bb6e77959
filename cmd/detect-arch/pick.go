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

// merge returns what any of the clusters offers, sorted by platform.
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

// A choice is what pick came to.
type choice struct {
	offers  []offer
	missing platform.List // of --platform, that no node offers and --allow-missing keeps
	dropped platform.List // of --among, that no node offers
}

// pick narrows what the clusters offer to --common, --platform or --among, and
// chooses among it by --choose. A platform that is asked for with a variant
// keeps it: no label tells it.
func (c *config) pick(surveys []*cluster.Survey) (choice, error) {
	offered, err := c.offered(surveys)
	if err != nil {
		return choice{}, err
	}
	var got choice
	kept := offered
	switch {
	case len(c.platforms) > 0:
		kept, got.missing = narrow(offered, c.platforms)
		if len(got.missing) > 0 && !c.allowMissing {
			return got, exit.Impossiblef("choosing platforms: no node takes the workload on %s; the nodes offer %s", got.missing, list(offered)).
				Hint("leave %s out of --platform, add such nodes, or keep it with --allow-missing if the cluster emulates it", got.missing)
		}
	case len(c.among) > 0:
		kept, got.dropped = narrow(offered, c.among)
		if len(kept) == 0 && len(c.expect) == 0 {
			return got, exit.Impossiblef("choosing platforms: no node takes the workload on any of %s; the nodes offer %s", c.among, list(offered)).
				Hint("add one of these to --among, or such nodes to the cluster")
		}
	}
	if err := c.drift(kept, surveys); err != nil {
		return got, err
	}
	exact := !slices.ContainsFunc(surveys, func(s *cluster.Survey) bool { return !s.Whole })
	if c.choose == "all" || len(kept) == 0 { // what nodes lack is not chosen while they have something
		for _, p := range got.missing {
			kept = append(kept, offer{platform: p})
		}
		slices.SortFunc(kept, func(a, b offer) int { return a.platform.Compare(b.platform) })
	} else {
		got.missing = nil
	}
	got.offers, err = choose(c.choose, kept, runtime.GOARCH, exact)
	return got, err
}

// offered returns what the clusters offer, or with --common what each does.
func (c *config) offered(surveys []*cluster.Survey) ([]offer, error) {
	offered := merge(surveys)
	if !c.common {
		return offered, nil
	}
	offered = slices.DeleteFunc(offered, func(o offer) bool { return o.clusters < len(surveys) })
	if len(offered) == 0 && len(c.expect) == 0 {
		return nil, exit.Impossiblef("choosing platforms: none is common to all clusters: %s", each(surveys)).
			Hint("leave out --common for the platforms of any of them")
	}
	return offered, nil
}

// narrow returns the offers for some platforms, and those that there is none for.
func narrow(offered []offer, to platform.List) (kept []offer, lacking platform.List) {
	for _, p := range to {
		i := slices.IndexFunc(offered, func(o offer) bool { return o.platform == p.Node() })
		if i < 0 {
			lacking = append(lacking, p)
			continue
		}
		o := offered[i]
		o.platform = p
		kept = append(kept, o)
	}
	return kept, lacking
}

// drift is the error of --expect: the nodes offer fewer platforms, or more.
func (c *config) drift(offered []offer, surveys []*cluster.Survey) error {
	if len(c.expect) == 0 {
		return nil
	}
	there, expected := list(offered).Nodes(), c.expect.Nodes()
	var lost, gained platform.List
	for _, p := range expected {
		if !there.Contains(p) {
			lost = append(lost, p)
		}
	}
	for _, p := range there {
		if !expected.Contains(p) {
			gained = append(gained, p)
		}
	}
	if len(lost)+len(gained) == 0 {
		return nil
	}
	var how, names []string
	if len(lost) > 0 {
		how = append(how, "lost "+lost.String())
	}
	if len(gained) > 0 {
		how = append(how, "gained "+gained.String())
	}
	for _, s := range surveys {
		names = append(names, s.Cluster)
	}
	e := exit.Failf("comparing platforms: the nodes of %s offer %s, and --expect says %s: %s", strings.Join(names, ", "), orNothing(there), expected, strings.Join(how, ", "))
	if len(there) > 0 {
		e.Hint("if the nodes are as they should be: --expect %s", there)
	}
	return e
}

func orNothing(l platform.List) string {
	if len(l) == 0 {
		return "nothing"
	}
	return l.String()
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

// each returns what each of the clusters offers, as words.
func each(surveys []*cluster.Survey) string {
	var parts []string
	for _, s := range surveys {
		parts = append(parts, fmt.Sprintf("%s has %s", s.Cluster, orNothing(s.Platforms())))
	}
	return strings.Join(parts, ", ")
}

// empty is the error for clusters where the workload can run nowhere.
func (c *config) empty(surveys []*cluster.Survey) error {
	if len(merge(surveys)) > 0 || len(c.expect) > 0 {
		return nil
	}
	var why, names []string
	for _, s := range surveys {
		names = append(names, s.Cluster)
		if len(c.workloads) > 0 {
			why = append(why, dropouts(s)...)
			continue
		}
		for _, g := range s.LeftOut {
			why = append(why, group(g))
		}
	}
	where := strings.Join(names, ", ")
	if len(why) > 0 {
		e := exit.Impossiblef("reading nodes of %s: none takes the workload: %s", where, strings.Join(why, "; "))
		if len(c.workloads) == 0 {
			e.Hint("--toleration names a taint that the workload tolerates; --fallback says what to print instead of failing")
		}
		return e
	}
	e := exit.Impossiblef("reading nodes of %s: there are none", where)
	if c.selector != "" {
		e = exit.Impossiblef("reading nodes of %s: none has the labels %s", where, c.selector)
	}
	if !c.nodePools {
		e.Hint("--node-pools counts pools that make nodes when pods wait for them")
	}
	return e.Hint("--fallback says what to print instead of failing")
}
