package cluster

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/polyarch/polyarch/internal/pod"
)

// Annotations by which the cluster autoscaler knows what nodes a Cluster API
// or OpenShift machine set without any makes, and how many it may make.
// https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/cloudprovider/clusterapi/README.md#scale-from-zero-support
const (
	capacityLabels = "capacity.cluster-autoscaler.kubernetes.io/labels"
	capacityTaints = "capacity.cluster-autoscaler.kubernetes.io/taints"
)

var maxSizes = []string{"cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size", "machine.openshift.io/cluster-api-autoscaler-node-group-max-size"}

// readMachines reads a MachineDeployment, MachineSet or MachinePool. One that
// states no architecture, or belongs to another, is no pool of its own.
func readMachines(item []byte) (pool, error) {
	var o struct {
		Kind     string
		Metadata struct {
			Name            string
			Annotations     map[string]string
			OwnerReferences []struct{ Kind string }
		}
	}
	if err := json.Unmarshal(item, &o); err != nil {
		return pool{}, err
	}
	for _, owner := range o.Metadata.OwnerReferences {
		if owner.Kind == "MachineDeployment" {
			return pool{}, nil
		}
	}
	p := pool{name: strings.TrimSpace(o.Kind + " " + o.Metadata.Name), labels: map[string][]string{osLabel: {"linux"}}}
	for _, l := range commaList(o.Metadata.Annotations[capacityLabels]) {
		k, v, _ := strings.Cut(l, "=")
		p.labels[modern(k)] = []string{v}
	}
	if p.labels[archLabel] == nil {
		return pool{}, nil
	}
	for _, l := range commaList(o.Metadata.Annotations[capacityTaints]) {
		rest, effect, ok := strings.Cut(l, ":")
		if !ok {
			return pool{}, fmt.Errorf("%s: annotation %s: %q is no taint, key=value:Effect", p.name, capacityTaints, l)
		}
		k, v, _ := strings.Cut(rest, "=")
		p.taints = append(p.taints, pod.Taint{Key: k, Value: v, Effect: effect})
	}
	for _, a := range maxSizes {
		if o.Metadata.Annotations[a] == "0" {
			p.off = "limited to no nodes"
		}
	}
	return p, nil
}
