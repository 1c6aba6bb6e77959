package cluster

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/pod"
)

// A pool makes nodes when pods wait for them; now it may have none.
type pool struct {
	name   string              // for people: "NodePool arm"
	labels map[string][]string // that its nodes may have; os and arch are among them
	open   bool                // its nodes may have other labels too
	taints []pod.Taint
	off    string // why it makes no nodes; empty if it does
	unsure string // what its platforms were taken from, if not from what it says
}

// addPool counts a pool for each platform that it makes nodes of, by the
// filter's verdict on such a node.
func (t *tally) addPool(p pool) {
	if !p.selected(t.filter.Selector) {
		return
	}
	for _, os := range p.labels[osLabel] {
		for _, arch := range p.labels[archLabel] {
			n := Node{Name: p.name, Labels: map[string]string{osLabel: os, archLabel: arch}, Taints: p.taints, OS: os, Arch: arch}
			platform, _, err := n.platform()
			if err != nil {
				continue
			}
			if p.off != "" {
				group(t.leftOut, platform.String(), p.off, p.name).count(0, 1)
				continue
			}
			if t.judge(&n, 0, 1) && p.unsure != "" {
				group(t.notes, platform.String(), p.unsure, p.name).count(0, 1)
			}
		}
	}
}

// selected reports whether a node of the pool may match the selector.
func (p *pool) selected(s labels.Selector) bool {
	if s == nil {
		return true
	}
	requirements, _ := s.Requirements()
	for _, r := range requirements {
		values, known := p.labels[r.Key()]
		switch {
		case known && !slices.ContainsFunc(values, func(v string) bool { return r.Matches(labels.Set{r.Key(): v}) }):
			return false
		case !known && !p.open && !r.Matches(labels.Set{}):
			return false
		}
	}
	return true
}

// poolKinds are the lists of pools, by API group.
var poolKinds = []struct {
	group, resource, called string
	read                    func([]byte) (pool, error)
}{
	{"karpenter.sh", "nodepools", "Karpenter NodePools", readNodePool},
	{"cluster.x-k8s.io", "machinedeployments", "Cluster API MachineDeployments", readMachines},
	{"cluster.x-k8s.io", "machinesets", "Cluster API MachineSets", readMachines},
	{"cluster.x-k8s.io", "machinepools", "Cluster API MachinePools", readMachines},
	{"machine.openshift.io", "machinesets", "OpenShift MachineSets", readMachines},
}

// pools reads all pools of the kinds that the server knows. Which it knows is
// asked first: without the right to list something, the API server says 403
// even if there is no such thing.
func (s *Server) pools(ctx context.Context) ([]pool, error) {
	body, err := s.read(ctx, "reading API groups", "apis", nil)
	if err != nil {
		return nil, err
	}
	var found struct {
		Groups []struct {
			Name             string
			PreferredVersion struct{ Version string }
		}
	}
	if err := json.Unmarshal(body, &found); err != nil {
		return nil, exit.Failf("reading API groups of %s: %w", s.name, err).Hint("does %s lead to a Kubernetes API server?", s.base)
	}
	var pools []pool
	for _, k := range poolKinds {
		for _, g := range found.Groups {
			if g.Name != k.group {
				continue
			}
			items, err := s.items(ctx, k.called, "apis/"+url.PathEscape(g.Name)+"/"+url.PathEscape(g.PreferredVersion.Version)+"/"+k.resource)
			if err != nil {
				return nil, err
			}
			for _, item := range items {
				p, err := k.read(item)
				if err != nil {
					return nil, exit.Failf("reading %s of %s: %w", k.called, s.name, err)
				}
				if p.labels != nil {
					pools = append(pools, p)
				}
			}
		}
	}
	return pools, nil
}

// items lists objects of a custom resource, which may not exist.
func (s *Server) items(ctx context.Context, called, path string) ([]json.RawMessage, error) {
	var all []json.RawMessage
	query := url.Values{"limit": {"500"}}
	for {
		body, err := s.read(ctx, "reading "+called, path, query)
		if isStatus(err, 404) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		var list struct {
			Metadata struct{ Continue string }
			Items    []json.RawMessage
		}
		if err := json.Unmarshal(body, &list); err != nil {
			return nil, exit.Failf("reading %s of %s: %w", called, s.name, err)
		}
		all = append(all, list.Items...)
		if list.Metadata.Continue == "" || list.Metadata.Continue == query.Get("continue") {
			return all, nil
		}
		query.Set("continue", list.Metadata.Continue)
	}
}

// maxPools bounds an answer that is read as one piece.
const maxPools = 64 << 20

func (s *Server) read(ctx context.Context, doing, path string, query url.Values) ([]byte, error) {
	resp, err := s.get(ctx, doing, path, query, "application/json")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPools+1))
	if err != nil {
		return nil, s.explain(ctx, doing, err)
	}
	if len(body) > maxPools {
		return nil, exit.Failf("%s of %s: the answer is longer than %d MiB", doing, s.name, maxPools>>20)
	}
	return body, nil
}

// commaList splits an annotation's list.
func commaList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
