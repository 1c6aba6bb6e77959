package main

import (
	"fmt"
	"strings"

	"github.com/polyarch/polyarch/internal/cluster"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/text"
)

// tell says what was seen in a cluster.
func tell(log *command.Log, s *cluster.Survey) {
	var parts []string
	for _, o := range s.Offers {
		parts = append(parts, fmt.Sprintf("%s on %s", size(o.Nodes, o.Pools), o.Platform))
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
	for _, g := range s.LeftOut {
		log.Infof("%s: left out: %s", s.Cluster, group(g))
	}
	for _, g := range s.Notes {
		log.Infof("%s: counted: %s", s.Cluster, group(g))
	}
}

// group gives a group of nodes as words: "2 nodes on linux/arm64 cordoned (for example n1)".
func group(g cluster.Group) string {
	s := size(g.Nodes, g.Pools)
	if g.Platform != "" {
		s += " on " + g.Platform
	}
	s += " " + g.Reason
	if g.Nodes+g.Pools == 1 {
		return s + " (" + g.Example + ")"
	}
	return s + " (for example " + g.Example + ")"
}

// size gives numbers of nodes and pools as words.
func size(nodes, pools int) string {
	switch {
	case pools == 0:
		return text.Count(nodes, "node")
	case nodes == 0:
		return text.Count(pools, "node pool")
	}
	return text.Count(nodes, "node") + " and " + text.Count(pools, "node pool")
}
