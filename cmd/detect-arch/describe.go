package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/cluster"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/pod"
	"github.com/polyarch/polyarch/internal/text"
)

// describe says what was seen in a cluster.
func (c *config) describe(log *command.Log, s *cluster.Survey) {
	var parts []string
	for _, o := range s.Offers {
		part := fmt.Sprintf("%s on %s", size(o.Nodes, o.Pools), o.Platform)
		if c.report != "" && o.Allocatable != (cluster.Resources{}) {
			part += " (" + o.Allocatable.String() + ")"
		}
		part += levels(o)
		parts = append(parts, part)
	}
	switch {
	case len(parts) == 0:
		log.Warnf("%s: no node takes the workload", s.Cluster)
	case s.Whole:
		log.Infof("%s: %s", s.Cluster, strings.Join(parts, ", "))
	default:
		log.Infof("%s: by their labels, %s", s.Cluster, strings.Join(parts, ", "))
	}
	for _, w := range s.Warnings {
		log.Warnf("%s", w)
	}
	for _, u := range s.Unknown {
		log.Infof("%s: not known: %s", s.Cluster, u)
	}
	leftOut := log.Infof
	if len(c.workloads) > 0 { // a line for each platform says enough
		leftOut = log.Debugf
		for _, line := range dropouts(s) {
			log.Infof("%s: %s", s.Cluster, line)
		}
		for _, o := range s.Offers {
			for _, t := range o.Taints {
				log.Infof("%s: on %s it has to tolerate %s, which inject-affinity --taints adds", s.Cluster, o.Platform, t)
			}
		}
	}
	for _, g := range s.LeftOut {
		leftOut("%s: left out: %s", s.Cluster, group(g))
	}
	for _, g := range s.Notes {
		log.Infof("%s: counted: %s", s.Cluster, group(g))
	}
}

// levels says how many nodes have which level of x86-64, the highest first:
// " (x86-64-v4 on 1, x86-64-v3 on 2)".
func levels(o cluster.Offer) string {
	var words []string
	for level := pod.MaxLevel; level > 1; level-- { // all have the first
		if n := o.Levels[fmt.Sprintf("v%d", level)]; n > 0 {
			words = append(words, fmt.Sprintf("x86-64-v%d on %d", level, n))
		}
	}
	if words == nil {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// dropouts returns a line for each platform of the cluster that does not take
// the workload: how many nodes it has, and what keeps most of them from it.
func dropouts(s *cluster.Survey) []string {
	byPlatform := map[string][]cluster.Group{}
	var order []string
	for _, g := range s.LeftOut { // sorted by platform
		taken := slices.ContainsFunc(s.Offers, func(o cluster.Offer) bool { return o.Platform.String() == g.Platform })
		if taken {
			continue
		}
		if byPlatform[g.Platform] == nil {
			order = append(order, g.Platform)
		}
		byPlatform[g.Platform] = append(byPlatform[g.Platform], g)
	}
	var lines []string
	for _, p := range order {
		groups := byPlatform[p]
		nodes, pools := 0, 0
		for _, g := range groups {
			nodes, pools = nodes+g.Nodes, pools+g.Pools
		}
		first := slices.MaxFunc(groups, func(a, b cluster.Group) int { return cmp.Or(a.Nodes-b.Nodes, a.Pools-b.Pools) })
		of := ""
		if n, all := first.Nodes+first.Pools, nodes+pools; n < all {
			of = fmt.Sprintf("%d of them ", n)
		}
		where := p + " drops out"
		if p == "" {
			where = "left out of an unknown platform"
		}
		lines = append(lines, fmt.Sprintf("%s: %s, %s%s%s", where, size(nodes, pools), of, first.Reason, example(first)))
	}
	return lines
}

// group returns a group of nodes as words: "2 nodes on linux/arm64 cordoned (for example n1)".
func group(g cluster.Group) string {
	s := size(g.Nodes, g.Pools)
	if g.Platform != "" {
		s += " on " + g.Platform
	}
	return s + " " + g.Reason + example(g)
}

func example(g cluster.Group) string {
	if g.Nodes+g.Pools == 1 {
		return " (" + g.Example + ")"
	}
	return " (for example " + g.Example + ")"
}

// size returns numbers of nodes and pools as words.
func size(nodes, pools int) string {
	switch {
	case pools == 0:
		return text.Count(nodes, "node")
	case nodes == 0:
		return text.Count(pools, "node pool")
	}
	return text.Count(nodes, "node") + " and " + text.Count(pools, "node pool")
}
