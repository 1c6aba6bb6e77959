package readiness

import (
	"fmt"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/affinity"
	"github.com/polyarch/polyarch/internal/platform"
)

// A Verdict says whether a workload could run on a platform.
type Verdict string

const (
	// Allowed is a workload that may run there now, and on purpose: a rule of
	// its own names the architecture, or a node of the platform takes it as it
	// is.
	Allowed Verdict = "allowed"
	// Ready is a workload all of whose images have the platform.
	Ready Verdict = "ready"
	// Blocked is a workload with an image that lacks the platform.
	Blocked Verdict = "blocked"
	// Lying is a workload with an image that has the platform by its name, and
	// in it a program for another one.
	Lying Verdict = "lying"
	// NotKnown is a workload with an image that could not be looked up.
	NotKnown Verdict = "unknown"
)

// Verdicts are all verdicts, the best first.
var Verdicts = []Verdict{Allowed, Ready, Blocked, Lying, NotKnown}

// An Answer is what is to be said of a workload and a platform.
type Answer struct {
	Platform platform.Platform `json:"platform"`
	Verdict  Verdict           `json:"verdict"`
	// KeptOff are the workload's own rules, or the taint, that keep it from
	// such nodes though its images could run there.
	KeptOff []string `json:"keptOff,omitempty"`
	Because []Reason `json:"because,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	// Node is "yes" if there is a node for it, "no" if there is none, and ""
	// if nothing is known of the nodes. NodeWhy names the node that takes it as
	// it is, or says why there is none.
	Node    string `json:"node,omitempty"`
	NodeWhy string `json:"nodeWhy,omitempty"`
}

// A Reason is an image that stands against a platform.
type Reason struct {
	Container string `json:"container"`
	Image     string `json:"image"` // as the workload names it
	Why       string `json:"why"`

	key string
}

// judge compares a workload with a platform.
func judge(w *Workload, p platform.Platform, images map[string]*Image, nodes *Nodes) Answer {
	a := Answer{Platform: p}
	var lacking, lying, unknown []Reason
	for _, c := range w.Containers {
		r := Reason{Container: c.Name, Image: c.Image, key: c.key()}
		i := images[c.key()]
		switch {
		case i == nil || i.Platforms == nil:
			r.Why = "it was not looked up"
			if i != nil && i.Unknown != nil {
				r.Why = i.Unknown.Why
			}
			unknown = append(unknown, r)
		case !slices.ContainsFunc(i.Platforms, p.Runs):
			r.Why = "it has " + few(i.Platforms.Strings())
			lacking = append(lacking, r)
		case len(i.Programs[p].Wrong) > 0:
			r.Why = i.Programs[p].Wrong[0]
			lying = append(lying, r)
		default:
			for _, n := range i.Programs[p].Notes {
				a.Notes = append(a.Notes, c.Name+": not verified: "+n)
			}
		}
	}
	switch {
	case len(lacking) > 0:
		a.Verdict, a.Because = Blocked, slices.Concat(lacking, lying, unknown)
	case len(lying) > 0:
		a.Verdict, a.Because = Lying, slices.Concat(lying, unknown)
	case len(unknown) > 0:
		a.Verdict, a.Because = NotKnown, unknown
	default:
		a.Verdict = Ready
	}
	allowed := a.place(w, p, nodes)
	if a.Verdict == Ready && allowed {
		a.Verdict = Allowed
	}
	return a
}

// place says what keeps a workload from the nodes of a platform, and reports
// whether it is there on purpose.
func (a *Answer) place(w *Workload, p platform.Platform, nodes *Nodes) (allowed bool) {
	rules, named := affinity.KeepsOff(w.Spec, p)
	a.KeptOff = rules
	if w.OS != "" && w.OS != p.OS {
		a.KeptOff = append(a.KeptOff, "spec.os "+w.OS)
	}
	if w.Architecture != "" && !ofArchitecture(w.Architecture, p) {
		a.KeptOff = append(a.KeptOff, "architecture "+w.Architecture)
	}
	if w.Spec.NodeName != "" && !w.Placed {
		a.KeptOff = append(a.KeptOff, "nodeName "+w.Spec.NodeName)
	}
	taint := nodes.platformTaint(w, p)
	if nodes.Known() {
		a.Node = "no"
		a.NodeWhy = "no node is " + p.Node().String()
		if nodes.Has().Contains(p.Node()) {
			a.Node, a.NodeWhy = "yes", ""
			name, rule, size := nodes.takes(w, p)
			switch {
			case name != "":
				a.NodeWhy, named = name, true
			case len(a.KeptOff) > 0: // which goes first
			case rule != "":
				a.KeptOff, taint = append(a.KeptOff, rule), ""
			case size != "":
				a.Node, a.NodeWhy = "no", size
			}
		}
	}
	if taint != "" && a.NodeWhy == "" {
		a.KeptOff = append(a.KeptOff, "taint "+taint+", which it does not tolerate")
	}
	return len(a.KeptOff) == 0 && named
}

func ofArchitecture(arch string, p platform.Platform) bool {
	q, err := platform.FromConfig(p.OS, arch, "")
	return err == nil && p.Node() == q.Node()
}

// few lists some words, and says how many more there are.
func few(words []string) string {
	const most = 8
	if len(words) > most {
		return strings.Join(words[:most], ", ") + fmt.Sprintf(" and %d more", len(words)-most)
	}
	return strings.Join(words, ", ")
}

// Why says in a line what the answer rests on.
func (a Answer) Why() string {
	var parts []string
	for _, r := range a.Because {
		parts = append(parts, fmt.Sprintf("%s: %s: %s", r.Container, r.Image, r.Why))
	}
	if len(a.Because) == 0 {
		switch {
		case len(a.KeptOff) > 0:
			parts = append(parts, "kept off by "+strings.Join(a.KeptOff, "; "))
		case a.Verdict == Allowed && a.Node == "yes" && a.NodeWhy != "":
			parts = append(parts, "node "+a.NodeWhy+" takes it")
		case a.Verdict == Allowed:
			parts = append(parts, "its own rules name it")
		case a.Verdict == Ready:
			parts = append(parts, "nothing keeps it off")
		}
	}
	if a.Node == "no" {
		parts = append(parts, a.NodeWhy)
	}
	return strings.Join(append(parts, a.Notes...), "; ")
}
