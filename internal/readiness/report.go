package readiness

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
)

// A Report is the document of --json.
type Report struct {
	Platforms []Part   `json:"platforms"` // one for each that was asked for
	Workloads []Row    `json:"workloads"`
	Images    []Lookup `json:"images"`   // each that was looked up
	Verified  bool     `json:"verified"` // programs were looked into
	Notes     []string `json:"notes"`    // what was not looked at
}

// A Part is the report on one platform.
type Part struct {
	Platform platform.Platform `json:"platform"`
	All      Total             `json:"all"`
	Verdicts map[Verdict]Total `json:"verdicts"`
	Movable  Total             `json:"movable"`  // allowed and ready
	Steps    []Step            `json:"steps"`    // what can move after the first 0, 3, 10 and all images
	Blocking []Blocker         `json:"blocking"` // the images to build first
	Missing  []Missing         `json:"missing"`  // what could not be looked up
}

// A Total adds up workloads.
type Total struct {
	Workloads int `json:"workloads"`
	Pods      int `json:"pods"`
	Resources
}

func (t *Total) add(w *Workload) {
	t.Workloads++
	t.Pods += w.Pods
	t.Resources = t.plus(w.Requests.times(w.Pods))
}

// A Step says what can move once so many images have the platform.
type Step struct {
	Images int `json:"images"`
	Total
}

// A Row is a workload with an answer for each platform.
type Row struct {
	Namespace  string    `json:"namespace"`
	Kind       string    `json:"kind"`
	Name       string    `json:"name"`
	Path       string    `json:"path,omitempty"`
	File       string    `json:"file"`
	Line       int       `json:"line"`
	Owner      string    `json:"owner,omitempty"`
	Pods       int       `json:"pods"`
	Cores      float64   `json:"cores"`  // that all its Pods request
	Memory     float64   `json:"memory"` // bytes
	Containers []Listed  `json:"containers"`
	Answers    []Answer  `json:"answers"`
	workload   *Workload // of which this is
	again      bool      // another file has one of the same name
}

// Title is how people name the workload.
func (r Row) Title() string {
	s := r.Kind + "/" + r.Name
	if r.Path != "" {
		s += " " + r.Path
	}
	if r.again {
		s += " in " + r.File
	}
	return s
}

// A Listed is a container of a Row.
type Listed struct {
	Name     string `json:"name"`
	Image    string `json:"image"`
	Digest   string `json:"digest,omitempty"`
	Init     bool   `json:"init,omitempty"`
	Injected bool   `json:"injected,omitempty"`
}

// A Lookup is an image as it was found.
type Lookup struct {
	Image     string        `json:"image"`
	Digest    string        `json:"digest,omitempty"`
	Platforms platform.List `json:"platforms"` // null: not known
	Unknown   string        `json:"unknown,omitempty"`
	Hints     []string      `json:"hints,omitempty"`
	Denied    bool          `json:"denied,omitempty"`
	Workloads int           `json:"workloads"`
}

// A Missing is a registry, or another reason, that kept images from being
// looked up.
type Missing struct {
	Host        string   `json:"host"`
	Why         string   `json:"why"` // of the first image
	Hints       []string `json:"hints,omitempty"`
	Denied      bool     `json:"denied,omitempty"` // a credential is missing
	Images      []string `json:"images"`
	Workloads   int      `json:"workloads"`
	PullSecrets []string `json:"pullSecrets,omitempty"` // NAMESPACE/NAME, that the workloads name
}

// Judge makes the report.
func Judge(ws []*Workload, images map[string]*Image, platforms platform.List, nodes *Nodes) *Report {
	r := &Report{Platforms: []Part{}, Workloads: []Row{}, Images: []Lookup{}, Notes: []string{}}
	for _, w := range ws {
		all := w.Requests.times(w.Pods)
		row := Row{Namespace: w.Namespace, Kind: w.Kind, Name: w.Name, Path: w.Path, File: w.File, Line: w.Line, Owner: w.Owner, Pods: w.Pods, Cores: all.Cores, Memory: all.Memory, Containers: []Listed{}, workload: w, again: w.again}
		for _, c := range w.Containers {
			row.Containers = append(row.Containers, Listed{c.Name, c.Image, c.Digest, c.Init, c.Injected})
		}
		for _, p := range platforms {
			row.Answers = append(row.Answers, judge(w, p, images, nodes))
		}
		r.Workloads = append(r.Workloads, row)
	}
	for n, p := range platforms {
		r.Platforms = append(r.Platforms, r.part(n, p, images))
	}
	for n := range r.Workloads {
		r.Workloads[n].workload = nil // it has said what it has to say
	}
	for _, k := range slices.Sorted(maps.Keys(images)) {
		i := images[k]
		l := Lookup{Image: i.Ref, Digest: i.Digest, Platforms: i.Platforms, Workloads: len(i.Users)}
		if u := i.Unknown; u != nil {
			l.Unknown, l.Hints, l.Denied = u.Why, u.Hints, u.Denied
		}
		r.Images = append(r.Images, l)
	}
	return r
}

func (r *Report) part(n int, p platform.Platform, images map[string]*Image) Part {
	part := Part{Platform: p, Verdicts: map[Verdict]Total{}}
	for _, v := range Verdicts {
		part.Verdicts[v] = Total{}
	}
	for _, row := range r.Workloads {
		v := row.Answers[n].Verdict
		t := part.Verdicts[v]
		t.add(row.workload)
		part.Verdicts[v] = t
		part.All.add(row.workload)
		if v == Allowed || v == Ready {
			part.Movable.add(row.workload)
		}
	}
	part.Blocking = r.rank(n, p, images)
	part.Steps = steps(part.Movable, part.Blocking)
	part.Missing = r.missing(n, images)
	return part
}

// missing groups what could not be looked up by registry and cause.
func (r *Report) missing(n int, images map[string]*Image) []Missing {
	type cause struct {
		host   string
		denied bool
		other  string // an image of no registry
	}
	found := map[cause]*Missing{}
	for _, row := range r.Workloads {
		a := row.Answers[n]
		if a.Verdict != NotKnown {
			continue
		}
		counted := map[cause]bool{}
		for _, b := range a.Because {
			i := images[b.key]
			if i == nil || i.Unknown == nil {
				continue
			}
			c := cause{i.Unknown.Host, i.Unknown.Denied, ""}
			if c.host == "" {
				c.other = i.Unknown.Why
			}
			m := found[c]
			if m == nil {
				m = &Missing{Host: i.Unknown.Host, Why: i.Unknown.Why, Hints: i.Unknown.Hints, Denied: i.Unknown.Denied}
				found[c] = m
			}
			if !counted[c] {
				counted[c] = true
				m.Workloads++
			}
			if !slices.Contains(m.Images, i.Ref) {
				m.Images = append(m.Images, i.Ref)
			}
			for _, s := range row.workload.PullSecrets {
				if name := row.Namespace + "/" + s; i.Unknown.Denied && !slices.Contains(m.PullSecrets, name) && len(m.PullSecrets) < 10 {
					m.PullSecrets = append(m.PullSecrets, name)
				}
			}
		}
	}
	out := []Missing{}
	for _, m := range found {
		slices.Sort(m.Images)
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b Missing) int {
		return cmp.Or(b.Workloads-a.Workloads, strings.Compare(a.Host, b.Host), strings.Compare(a.Why, b.Why))
	})
	return out
}
