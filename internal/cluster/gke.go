package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// computeClassLabel is the label, and the key of the taint, of the nodes of a
// GKE compute class. GKE lets Pods that select the label tolerate the taint.
// https://cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes
const computeClassLabel = "cloud.google.com/compute-class"

// A computeClass is a GKE ComputeClass.
// https://cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass
type computeClass struct {
	Metadata meta
	Spec     struct {
		NodePoolAutoCreation struct{ Enabled bool }
		Priorities           []struct {
			MachineFamily, MachineType string
			NodePools                  []string
		}
	}
}

func (r *poolReader) computeClasses(ctx context.Context) {
	r.pools(ctx, objectKind{"cloud.google.com", "ComputeClass", "GKE ComputeClasses"}, func(raw json.RawMessage) error {
		var c computeClass
		if err := json.Unmarshal(raw, &c); err != nil {
			return err
		}
		for _, p := range c.pools() {
			r.to.addPool(p)
		}
		return nil
	})
}

// pools returns a pool for each architecture that the class makes nodes of, and
// one for the priorities that do not tell.
func (c *computeClass) pools() []*pool {
	base := pool{
		name: "ComputeClass " + c.Metadata.Name, labels: map[string]values{computeClassLabel: exactly(c.Metadata.Name)},
		taints: []pod.Taint{{Key: computeClassLabel, Value: c.Metadata.Name, Effect: "NoSchedule"}},
		anyOf:  func(label string) bool { return googleLabels[label] },
	}
	if c.Metadata.DeletionTimestamp != "" {
		base.off = "being deleted"
	}
	var archs []string
	unknown := ""
	for _, p := range c.Spec.Priorities {
		name := cmp.Or(p.MachineType, p.MachineFamily)
		arch := archOfInstance(name)
		switch {
		case len(p.NodePools) > 0:
			unknown = cmp.Or(unknown, "that takes nodes of node pools, whose machines no object in the cluster tells")
		case !c.Spec.NodePoolAutoCreation.Enabled:
			unknown = cmp.Or(unknown, "that creates no node pools of its own, unless node auto-provisioning is on, which no object in the cluster tells")
		case arch == "":
			unknown = cmp.Or(unknown, "that names no machine in some of its priorities, so that GKE chooses")
		default:
			archs = append(archs, arch)
		}
	}
	slices.Sort(archs)
	var out []*pool
	for _, arch := range slices.Compact(archs) {
		p := base
		if arch == "arm64" { // https://cloud.google.com/kubernetes-engine/docs/how-to/prepare-arm-workloads-for-deployment
			p.taints = append(slices.Clone(p.taints), pod.Taint{Key: archLabel, Value: arch, Effect: "NoSchedule"})
		}
		p.makes = []made{{platform: platform.Platform{OS: "linux", Arch: arch}, note: "by the names of its machines"}}
		out = append(out, &p)
	}
	if unknown != "" {
		p := base
		p.unknown = unknown
		out = append(out, &p)
	}
	return out
}

// googleLabels are what GKE sets on all its nodes.
var googleLabels = map[string]bool{
	"topology.kubernetes.io/zone": true, "topology.kubernetes.io/region": true, instanceLabel: true, "kubernetes.io/hostname": true,
	"cloud.google.com/gke-nodepool": true, "cloud.google.com/machine-family": true,
}

// clouds are providers whose node pools, or some of them, are not objects of
// the cluster: by the label of their nodes, what is not known about pools
// without nodes.
var clouds = []struct{ label, unknown string }{
	{"cloud.google.com/gke-nodepool", "GKE: node pools at zero and node auto-provisioning are no objects in the cluster and are not counted; gcloud container node-pools list shows them"},
	{"eks.amazonaws.com/nodegroup", "EKS: managed node groups at zero are no objects in the cluster and are not counted; aws eks list-nodegroups shows them"},
	{"kubernetes.azure.com/agentpool", "AKS: node pools at zero are no objects in the cluster and are not counted; az aks nodepool list shows them"},
}

// sayWhatNoObjectTells notes the pools that only the cloud knows.
func (t *tally) sayWhatNoObjectTells() {
	for i, c := range clouds {
		if t.clouds[i] {
			t.unknown = append(t.unknown, c.unknown)
		}
	}
}
