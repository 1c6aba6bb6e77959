package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/polyarch/polyarch/internal/cluster"
	"github.com/polyarch/polyarch/internal/output"
	"github.com/polyarch/polyarch/internal/platform"
)

// A document is what --json prints.
type document struct {
	Platforms []string          `json:"platforms"`
	Arches    []string          `json:"arches"`
	Mixed     bool              `json:"mixed"`
	Count     int               `json:"count"`
	Taints    []string          `json:"taints"`
	Matrix    matrix            `json:"matrix"`
	Workload  string            `json:"workload,omitempty"` // of --for
	Clusters  []*cluster.Survey `json:"clusters"`
}

func report(chosen []offer, surveys []*cluster.Survey, rs []runner, optional platform.List, w *cluster.Workload) output.Report {
	ps := list(chosen)
	may := slices.DeleteFunc(slices.Clone(ps), func(p platform.Platform) bool { return !optional.Covers(p) })
	taints := []string{}
	for _, o := range chosen {
		taints = append(taints, o.taints...)
	}
	slices.Sort(taints)
	taints = slices.Compact(taints)
	d := document{ps.Strings(), ps.Arches(), len(ps) > 1, len(ps), taints, newMatrix(ps, rs, optional), "", surveys}
	if w != nil {
		d.Workload = w.Name
	}
	m, _ := json.Marshal(d.Matrix) // strings always can
	return output.Report{
		Results: []output.Result{
			{Name: "platforms", Text: ps.String(), List: d.Platforms},
			{Name: "arches", Text: strings.Join(d.Arches, ","), List: d.Arches},
			{Name: "mixed", Text: strconv.FormatBool(d.Mixed)},
			{Name: "count", Text: strconv.Itoa(d.Count)},
			{Name: "taints", Text: strings.Join(taints, ","), List: taints},
			{Name: "matrix", Text: string(m)},
			{Name: "optional", Text: may.String(), List: may.Strings()},
		},
		Text:    ps.String() + "\n",
		JSON:    d,
		Summary: summary(chosen, surveys),
	}
}
