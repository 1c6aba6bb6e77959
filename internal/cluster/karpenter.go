package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// A nodePool is a Karpenter NodePool, v1 or v1beta1, without what does not matter
// here.
// https://karpenter.sh/docs/concepts/nodepools/
type nodePool struct {
	APIVersion, Kind string
	Metadata         meta
	Spec             struct {
		Limits   map[string]any
		Replicas *int64 // static: Karpenter keeps this many nodes, whether or not pods wait
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     nodeTemplate
		}
	}
	Status struct {
		Conditions []struct{ Type, Status string }
	}
}

// A nodeTemplate says what nodes a pool makes. Taints of startupTaints go away
// by themselves.
type nodeTemplate struct {
	Requirements []pod.Requirement
	Taints       []pod.Taint
	NodeClassRef classRef
}

// A classRef names a node class: by its group in v1, by its apiVersion before.
type classRef struct{ Group, APIVersion, Kind, Name string }

func (c classRef) group() string {
	if c.Group != "" {
		return c.Group
	}
	g, _, _ := strings.Cut(c.APIVersion, "/")
	return g
}

// A provisioner is the v1alpha5 form of a NodePool.
// https://karpenter.sh/v0.32/concepts/provisioners/
type provisioner struct {
	Metadata meta
	Spec     struct {
		Labels       map[string]string
		Requirements []pod.Requirement
		Taints       []pod.Taint
		Limits       struct{ Resources map[string]any }
		ProviderRef  classRef
	}
	Status struct {
		Conditions []struct{ Type, Status string }
	}
}

func (p *provisioner) nodePool() *nodePool {
	np := &nodePool{APIVersion: "karpenter.sh/v1alpha5", Kind: "Provisioner", Metadata: p.Metadata}
	np.Spec.Limits, np.Spec.Template.Metadata.Labels = p.Spec.Limits.Resources, p.Spec.Labels
	np.Spec.Template.Spec = nodeTemplate{Requirements: p.Spec.Requirements, Taints: p.Spec.Taints, NodeClassRef: p.Spec.ProviderRef}
	np.Status.Conditions = p.Status.Conditions
	return np
}

func (r *poolReader) karpenter(ctx context.Context) {
	var pools []*nodePool
	r.pools(ctx, objectKind{"karpenter.sh", "NodePool", "Karpenter NodePools"}, func(raw json.RawMessage) error {
		np := &nodePool{Kind: "NodePool"}
		err := json.Unmarshal(raw, np)
		if err == nil {
			pools = append(pools, np)
		}
		return err
	})
	r.pools(ctx, objectKind{"karpenter.sh", "Provisioner", "Karpenter Provisioners"}, func(raw json.RawMessage) error {
		var p provisioner
		err := json.Unmarshal(raw, &p)
		if err == nil {
			pools = append(pools, p.nodePool())
		}
		return err
	})
	classes := r.nodeClasses(ctx, pools)
	for _, np := range pools {
		ref := np.Spec.Template.Spec.NodeClassRef
		r.to.addPool(np.pool(classes[classRef{Group: ref.group(), Kind: ref.Kind, Name: ref.Name}]))
	}
}

// wellKnown reports whether Karpenter lets a pod ask for any value of a label
// that a pool does not define. It denies custom labels that no pool defines.
// sigs.k8s.io/karpenter/pkg/apis/v1 (WellKnownLabels), and what providers add.
func wellKnown(label string) bool {
	switch label {
	case "topology.kubernetes.io/zone", "topology.kubernetes.io/region", instanceLabel, osLabel, archLabel,
		"karpenter.sh/capacity-type", "node.kubernetes.io/windows-build":
		return true
	}
	domain, _, _ := strings.Cut(label, "/")
	switch domain {
	case "karpenter.k8s.aws", "karpenter.azure.com", "karpenter.k8s.gcp", "eks.amazonaws.com", "topology.k8s.aws":
		return true
	}
	return false
}

// pool returns what the NodePool makes; class may be nil.
func (np *nodePool) pool(class *nodeClass) *pool {
	template := np.Spec.Template.Spec
	p := &pool{name: np.Kind + " " + np.Metadata.Name, anyOf: wellKnown, taints: template.Taints, off: np.passedOver(), labels: map[string]values{
		"karpenter.sh/" + map[bool]string{true: "provisioner-name", false: "nodepool"}[np.Kind == "Provisioner"]: exactly(np.Metadata.Name),
	}}
	if ref := template.NodeClassRef; ref.Group != "" {
		p.labels[ref.Group+"/"+strings.ToLower(ref.Kind)] = exactly(ref.Name)
	}
	for k, v := range np.Spec.Template.Metadata.Labels {
		p.labels[modern(k)] = exactly(v)
	}
	for _, r := range template.Requirements {
		k := modern(r.Key)
		v, ok := p.labels[k]
		switch {
		case !ok && wellKnown(k):
			v = anyValue
		case !ok:
			v = unspecified
		}
		p.labels[k] = v.and(r)
	}
	np.platforms(p, class)
	return p
}

// passedOver returns why Karpenter makes no nodes of the pool for pods that wait.
// sigs.k8s.io/karpenter/pkg/controllers/provisioning (NewScheduler)
func (np *nodePool) passedOver() string {
	for _, resource := range []string{"cpu", "memory", "nodes"} {
		if l, ok := np.Spec.Limits[resource]; ok && zero(l) {
			return "limited to no " + resource
		}
	}
	ready := ""
	for _, c := range np.Status.Conditions {
		if c.Type == "Ready" {
			ready = c.Status
		}
	}
	switch {
	case np.Metadata.DeletionTimestamp != "":
		return "being deleted"
	case np.Spec.Replicas != nil:
		return "static, so that it makes no nodes for pods that wait"
	case ready == "True":
	case ready != "", np.APIVersion == "karpenter.sh/v1" && np.Metadata.CreationTimestamp != "": // one that no server has seen may get ready
		return "not ready"
	}
	return ""
}

// platforms sets what the pool makes: the platforms of its requirements for
// which its node class has images and its instance types have processors.
func (np *nodePool) platforms(p *pool, class *nodeClass) {
	archs, named := p.labels[archLabel]
	oses, osNamed := p.labels[osLabel]
	if !named {
		archs = anyValue
	}
	if !osNamed {
		oses = anyValue
	}
	delete(p.labels, archLabel)
	delete(p.labels, osLabel)
	types := archsOfInstances(p.labels)
	candidates := archs.in
	if archs.open {
		candidates = slices.DeleteFunc([]string{"amd64", "arm64"}, func(a string) bool { return !archs.allows(a) })
	}
	for _, os := range class.oses(oses) {
		for _, arch := range candidates {
			pf, err := platform.FromConfig(os, arch, "")
			if err != nil || os == "windows" && arch != "amd64" { // no cloud has others
				continue
			}
			m := made{platform: pf.Node()}
			switch {
			case types != nil && !types[arch]:
				m.off = "of no instance type that its requirements name"
			case !class.hasImage(os, arch):
				m.off = "without an image in its node class"
			}
			switch {
			case m.off != "" && !named: // nothing said that it makes them
				continue
			case named || m.off != "":
			case np.Kind == "Provisioner" && class == nil && types == nil:
				if arch != "amd64" { // what v1alpha5 takes where nothing is said
					continue
				}
				m.note = "without a requirement on the architecture, counted for amd64"
			case types != nil:
				m.note = "without a requirement on the architecture, counted by the names of its instance types"
			case class != nil && class.images != nil:
				m.note = "without a requirement on the architecture, counted by the images of its node class"
			default:
				m.note = "without a requirement on the architecture, counted for amd64 and arm64"
			}
			p.makes = append(p.makes, m)
		}
	}
	switch {
	case len(class.oses(oses)) == 0:
		p.unknown = "whose node class is of another operating system than it asks for"
	case (class == nil || class.os == "") && !oses.open && oses.allows("linux") && oses.allows("windows") && archs.allows("amd64"):
		p.makes = append(p.makes, made{platform: platform.Platform{OS: "windows", Arch: "amd64"}, off: "if its node class is Windows', which is not known"})
	}
}

// archsOfInstances returns the architectures of the instance types and families
// that the labels of a pool's nodes name, or nil if they name none, or some
// whose name tells nothing.
func archsOfInstances(labels map[string]values) map[string]bool {
	var found map[string]bool
	for key, v := range labels {
		domain, name, _ := strings.Cut(key, "/")
		manufacturer := name == "instance-cpu-manufacturer" && (domain == "karpenter.k8s.aws" || domain == "eks.amazonaws.com")
		if v.open || v.absent || len(v.in) == 0 || key != instanceLabel && !manufacturer && name != "instance-family" && key != "karpenter.azure.com/sku-name" {
			continue
		}
		archs := map[string]bool{}
		for _, s := range v.in {
			a := archOfInstance(s)
			if manufacturer {
				a = map[string]string{"aws": "arm64", "intel": "amd64", "amd": "amd64"}[s]
			}
			archs[a] = true
		}
		if archs[""] {
			continue
		}
		if found == nil {
			found = archs
			continue
		}
		for a := range found {
			if !archs[a] {
				delete(found, a)
			}
		}
	}
	return found
}

// zero reports whether a resource quantity, a number or a string, is nothing.
func zero(quantity any) bool {
	switch q := quantity.(type) {
	case float64:
		return q == 0
	case string:
		return strings.Trim(q, "0.") == "" || strings.HasPrefix(q, "0") && strings.Trim(q, "0.EPTGMkinmu") == ""
	}
	return false
}
