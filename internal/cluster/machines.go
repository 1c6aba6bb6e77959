package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// Annotations by which the cluster autoscaler knows what nodes a Cluster API
// or OpenShift machine set without any makes, and how many it may make.
// https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/cloudprovider/clusterapi/README.md#scale-from-zero-support
const (
	capacityPrefix = "capacity.cluster-autoscaler.kubernetes.io/"
	maxSizeSuffix  = "/cluster-api-autoscaler-node-group-max-size"
	minSizeSuffix  = "/cluster-api-autoscaler-node-group-min-size"
	pausedKey      = "cluster.x-k8s.io/paused"
	clusterNameKey = "cluster.x-k8s.io/cluster-name"
)

// A machineSet is a MachineDeployment, MachineSet or MachinePool.
type machineSet struct {
	Kind     string
	Metadata meta
	Spec     struct {
		ClusterName      string
		Replicas         *int64
		AuthoritativeAPI string // of OpenShift: which of two copies counts
		Template         struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Metadata          struct{ Labels map[string]string }
				Taints            []pod.Taint
				InfrastructureRef infraRef
				ProviderSpec      struct {
					Value struct{ InstanceType, MachineType, VMSize string }
				}
			}
		}
	}

	group string
}

// An infraRef names what a cloud's machines are made from: by its group since
// v1beta2, by its apiVersion before. It is in the same namespace.
type infraRef struct{ APIGroup, APIVersion, Kind, Name string }

func (i infraRef) kind() objectKind {
	group, _, _ := strings.Cut(i.APIVersion, "/")
	group = cmp.Or(i.APIGroup, group)
	return objectKind{group, i.Kind, "Cluster API's " + i.Kind + " objects"}
}

// An infraTemplate is what a cloud's machines are made from. Its status is the
// cluster autoscaler's second source, after the annotations.
// https://github.com/kubernetes/autoscaler/issues/8347
type infraTemplate struct {
	Metadata meta
	Spec     struct {
		Template struct {
			Spec struct{ InstanceType, MachineType, VMSize string }
		}
	}
	Status struct {
		Capacity map[string]quantity
		NodeInfo struct{ Architecture, OperatingSystem string }
	}
}

func (r *poolReader) machines(ctx context.Context) {
	var sets []*machineSet
	for _, k := range []objectKind{
		{"cluster.x-k8s.io", "MachineDeployment", "Cluster API MachineDeployments"},
		{"cluster.x-k8s.io", "MachineSet", "Cluster API MachineSets"},
		{"cluster.x-k8s.io", "MachinePool", "Cluster API MachinePools"},
		{"machine.openshift.io", "MachineSet", "OpenShift MachineSets"},
	} {
		r.pools(ctx, k, func(raw json.RawMessage) error {
			m := &machineSet{group: k.group}
			if err := json.Unmarshal(raw, m); err != nil {
				return err
			}
			m.Kind = cmp.Or(m.Kind, k.kind)
			if !m.part() {
				sets = append(sets, m)
			}
			return nil
		})
	}
	templates := r.templates(ctx, sets)
	for _, m := range sets {
		ref := m.Spec.Template.Spec.InfrastructureRef
		r.to.addPool(m.pool(templates[[3]string{ref.kind().kind, m.Metadata.Namespace, ref.Name}], r.to.clusters))
	}
}

// part reports whether what makes the machines is another object: the
// MachineDeployment of a MachineSet, or the other copy of one that moves
// between OpenShift's two APIs.
func (m *machineSet) part() bool {
	if m.group == "machine.openshift.io" && m.Spec.AuthoritativeAPI == "ClusterAPI" {
		return true
	}
	return slices.ContainsFunc(m.Metadata.OwnerReferences, func(o struct{ Kind string }) bool { return o.Kind == "MachineDeployment" })
}

// templates reads what machines are made from, each kind of it once, by kind,
// namespace and name.
func (r *poolReader) templates(ctx context.Context, sets []*machineSet) map[[3]string]*infraTemplate {
	found := map[[3]string]*infraTemplate{}
	seen := map[objectKind]bool{}
	for _, m := range sets {
		k := m.Spec.Template.Spec.InfrastructureRef.kind()
		if k.group == "" || k.kind == "" || seen[k] || len(seen) == maxKinds {
			continue
		}
		seen[k] = true
		r.details(ctx, k, func(raw json.RawMessage) error {
			t := &infraTemplate{}
			err := json.Unmarshal(raw, t)
			found[[3]string{k.kind, t.Metadata.Namespace, t.Metadata.Name}] = t
			return err
		})
	}
	return found
}

// pool returns what the machine set makes; template may be nil. Clusters are
// those that the nodes say they belong to, nil if there are no nodes.
func (m *machineSet) pool(template *infraTemplate, clusters map[string]bool) *pool {
	p := &pool{name: m.Kind + " " + m.Metadata.Name, labels: map[string]values{}, taints: m.Spec.Template.Spec.Taints}
	p.capacity = m.capacity(template)
	p.off = m.passedOver(clusters, p.capacity)
	for k, v := range m.nodeLabels() {
		p.labels[modern(k)] = exactly(v)
	}
	for _, l := range strings.Split(m.Metadata.Annotations[capacityPrefix+"labels"], ",") {
		if k, v, ok := strings.Cut(l, "="); ok {
			p.labels[modern(k)] = exactly(v)
		}
	}
	p.annotatedTaints(m.Metadata.Annotations[capacityPrefix+"taints"])
	m.platform(p, template)
	return p
}

// nodeLabels returns the labels of the template that reach nodes: OpenShift's
// all, Cluster API's those of its own domains.
// https://cluster-api.sigs.k8s.io/reference/api/metadata-propagation#machine
func (m *machineSet) nodeLabels() map[string]string {
	if m.group == "machine.openshift.io" {
		return m.Spec.Template.Spec.Metadata.Labels
	}
	out := map[string]string{}
	for _, of := range []map[string]string{m.Spec.Template.Metadata.Labels, m.Spec.Template.Spec.Metadata.Labels} {
		for k, v := range of {
			domain, _, _ := strings.Cut(k, "/")
			if domain == "node-role.kubernetes.io" || within(domain, "node-restriction.kubernetes.io") || within(domain, "node.cluster.x-k8s.io") {
				out[k] = v
			}
		}
	}
	return out
}

func within(domain, of string) bool { return domain == of || strings.HasSuffix(domain, "."+of) }

// annotatedTaints adds the taints of an annotation, which go before those of
// the template. The autoscaler passes over what it cannot read.
func (p *pool) annotatedTaints(annotation string) {
	if annotation == "" {
		return
	}
	p.taints = slices.Clone(p.taints)
	for _, s := range strings.Split(annotation, ",") {
		rest, effect, _ := strings.Cut(s, ":")
		key, value, _ := strings.Cut(rest, "=")
		if key == "" || strings.ContainsAny(s, " \t\n") || strings.Contains(value, "=") || strings.Contains(effect, ":") {
			p.notes = append(p.notes, "with a malformed taint in its annotation, which the autoscaler passes over")
			continue
		}
		t := pod.Taint{Key: key, Value: value, Effect: effect}
		if i := slices.IndexFunc(p.taints, func(o pod.Taint) bool { return o.Key == key && o.Effect == effect }); i >= 0 {
			p.taints[i] = t
		} else {
			p.taints = append(p.taints, t)
		}
	}
	slices.Sort(p.notes)
	p.notes = slices.Compact(p.notes)
}

// platform sets what the pool makes, from the autoscaler's sources in its
// order, or else from the name of the cloud's machine.
func (m *machineSet) platform(p *pool, template *infraTemplate) {
	if template == nil {
		template = &infraTemplate{}
	}
	one := func(label string) string {
		if v := p.labels[label]; len(v.in) == 1 {
			return v.in[0]
		}
		return ""
	}
	spec, machine := m.Spec.Template.Spec.ProviderSpec.Value, template.Spec.Template.Spec
	instance := cmp.Or(spec.InstanceType, spec.VMSize, spec.MachineType, machine.InstanceType, machine.VMSize, machine.MachineType)
	os := cmp.Or(one(osLabel), template.Status.NodeInfo.OperatingSystem, "linux")
	arch, note := cmp.Or(one(archLabel), template.Status.NodeInfo.Architecture), ""
	if arch == "" {
		if arch = archOfInstance(instance); arch != "" {
			note = "by the name of its instance type, " + instance
		}
	}
	delete(p.labels, osLabel)
	delete(p.labels, archLabel)
	pf, err := platform.FromConfig(os, arch, "")
	if arch == "" || err != nil {
		p.unknown = "whose architecture no object tells; the annotation " + capacityPrefix + "labels would"
		if p.off != "" {
			p.unknown = p.off
		}
		return
	}
	p.makes = []made{{platform: pf.Node(), note: note}}
}

// capacity returns what a node of the set has, or nil if that is not known.
// OpenShift has annotations of its own.
func (m *machineSet) capacity(template *infraTemplate) map[string]quantity {
	found := map[string]quantity{}
	if template != nil {
		for k, v := range template.Status.Capacity {
			found[k] = v
		}
	}
	a := m.Metadata.Annotations
	for resource, key := range map[string]string{"cpu": "cpu", "memory": "memory", "ephemeral-storage": "ephemeral-disk", "pods": "maxPods"} {
		if v := a[capacityPrefix+key]; v != "" {
			found[resource] = quantity(v)
		}
	}
	if v := a["machine.openshift.io/vCPU"]; v != "" {
		found["cpu"] = quantity(v)
	}
	if v := a["machine.openshift.io/memoryMb"]; v != "" {
		found["memory"] = quantity(v + "Mi")
	}
	if kind, n := a[capacityPrefix+"gpu-type"], a[capacityPrefix+"gpu-count"]; kind != "" && n != "" {
		found[kind] = quantity(n)
	}
	if n := a["machine.openshift.io/GPU"]; n != "" && n != "0" {
		found["nvidia.com/gpu"] = quantity(n)
	}
	if found["cpu"] == "" || found["memory"] == "" {
		return nil
	}
	return found
}

// passedOver returns why the autoscaler makes no nodes of the set.
func (m *machineSet) passedOver(clusters map[string]bool, capacity map[string]quantity) string {
	name := cmp.Or(m.Spec.ClusterName, m.Metadata.Labels[clusterNameKey])
	most, least := m.size(maxSizeSuffix), m.size(minSizeSuffix)
	_, paused := m.Metadata.Annotations[pausedKey]
	switch {
	case m.group == "cluster.x-k8s.io" && name != "" && clusters != nil && !clusters[m.Metadata.Namespace+"/"+name] && !clusters["/"+name]:
		return "of another cluster, " + name
	case m.Metadata.DeletionTimestamp != "":
		return "being deleted"
	case paused:
		return "paused"
	case most <= 0 || most < least:
		return "not scaled by the autoscaler: without a maximum size above zero"
	case m.Spec.Replicas != nil && *m.Spec.Replicas == 0 && capacity == nil:
		return "not scaled from zero: without capacity annotations for cpu and memory"
	}
	return ""
}

// size returns the bound of an annotation, 0 if there is none or it is not a
// number.
func (m *machineSet) size(suffix string) int {
	n, err := strconv.Atoi(m.Metadata.Annotations[m.group+suffix])
	if err != nil {
		return 0
	}
	return n
}
