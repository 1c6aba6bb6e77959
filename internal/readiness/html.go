package readiness

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/polyarch/polyarch/internal/text"
)

//go:embed page/page.html
var pageHTML string

//go:embed page/page.css
var pageCSS string

//go:embed page/page.js
var pageJS string

// page is parsed once; html/template escapes whatever a cluster or a registry
// has named, by its place in the page.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"short": short,
	"line":  text.Line,
	"dash":  orDash,
	"inc":   func(n int) int { return n + 1 },
	"count": text.Count,
	"mark":  func(v Verdict) string { return marks[v] },
	"says":  func(v Verdict) string { return meanings[v] },
}).Parse(pageHTML))

// marks tell verdicts apart without colours.
var marks = map[Verdict]string{Allowed: "✓", Ready: "●", Blocked: "✕", Lying: "!", NotKnown: "?"}

// meanings explain verdicts in a few words.
var meanings = map[Verdict]string{
	Allowed:  "may run there today",
	Ready:    "all images have it",
	Blocked:  "an image lacks it",
	Lying:    "an image has a program for another platform in it",
	NotKnown: "an image could not be looked up",
}

// A section is the page's part on one platform.
type section struct {
	ID string
	Part
	Shares     []share
	Progress   []bar
	Measures   []measure
	Workloads  []line
	Namespaces []string
	Suggests   bool // there are tags to use instead
}

// A share is the part of the workloads that have a verdict.
type share struct {
	Verdict Verdict
	Total   Total
	Percent float64
}

// A bar is what can move after so many images.
type bar struct {
	Label, Value string
	Percent      float64
}

// A measure is one of the numbers on top.
type measure struct {
	Name, Now, All string
	Percent        float64
}

// A line is a workload in the table.
type line struct {
	Row
	Answer
	Order int // of the verdict
	GiB   float64
}

func percent(of, all float64) float64 {
	if all <= 0 {
		return 0
	}
	return min(100, 100*of/all)
}

// HTML is the report as a page that needs nothing else, made at a time.
func (r *Report) HTML(at time.Time) ([]byte, error) {
	var sections []section
	for n, p := range r.Platforms {
		s := section{ID: "p" + fmt.Sprint(n), Part: p}
		for _, v := range Verdicts {
			if t := p.Verdicts[v]; t.Workloads > 0 {
				s.Shares = append(s.Shares, share{v, t, percent(float64(t.Workloads), float64(p.All.Workloads))})
			}
		}
		for i, step := range p.Steps {
			label := "Now"
			if i > 0 {
				label = "After the first " + step.said()
			}
			s.Progress = append(s.Progress, bar{label, fmt.Sprintf("%d of %d workloads, %s of %s cores, %s of %s GiB", step.Workloads, p.All.Workloads, short(step.Cores), short(p.All.Cores), short(step.GiB()), short(p.All.GiB())), percent(float64(step.Workloads), float64(p.All.Workloads))})
		}
		s.Measures = []measure{
			{"workloads", fmt.Sprint(p.Movable.Workloads), fmt.Sprint(p.All.Workloads), percent(float64(p.Movable.Workloads), float64(p.All.Workloads))},
			{"requested cores", short(p.Movable.Cores), short(p.All.Cores), percent(p.Movable.Cores, p.All.Cores)},
			{"requested GiB", short(p.Movable.GiB()), short(p.All.GiB()), percent(p.Movable.Memory, p.All.Memory)},
		}
		namespaces := map[string]bool{}
		for _, row := range r.Workloads {
			a := row.Answers[n]
			s.Workloads = append(s.Workloads, line{row, a, slices.Index(Verdicts, a.Verdict), row.Memory / (1 << 30)})
			namespaces[row.Namespace] = true
		}
		s.Suggests = slices.ContainsFunc(p.Blocking, func(b Blocker) bool { return b.Suggested != nil })
		s.Namespaces = slices.Sorted(maps.Keys(namespaces))
		sections = append(sections, s)
	}
	var names []string
	for _, p := range r.Platforms {
		names = append(names, p.Platform.String())
	}
	sum := sha256.Sum256([]byte(pageJS))
	var b bytes.Buffer
	err := page.Execute(&b, map[string]any{
		"Title":    "Readiness for " + strings.Join(names, ", "),
		"At":       at.UTC().Format("2 January 2006, 15:04 UTC"),
		"CSS":      template.CSS(pageCSS), //nolint:gosec // our own
		"JS":       template.JS(pageJS),   //nolint:gosec // our own
		"Policy":   "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'",
		"Sections": sections,
		"Verified": r.Verified,
		"Notes":    r.Notes,
		"Verdicts": Verdicts,
	})
	return b.Bytes(), err
}
