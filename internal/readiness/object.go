package readiness

import (
	"encoding/json"
	"strconv"
)

// loose takes a value of another form than expected for none: the objects of
// a cluster are of any kind, and one field that is odd must not hide the rest.
type loose[T any] struct{ v T }

func (l *loose[T]) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &l.v); err != nil {
		var none T
		l.v = none
	}
	return nil
}

// An object is what matters of a Kubernetes object beside its PodSpec. Every
// scalar is a string, as kubeyaml writes them.
type object struct {
	Metadata loose[struct {
		UID             loose[string]
		Labels          loose[map[string]loose[string]]
		Annotations     loose[map[string]loose[string]]
		OwnerReferences loose[[]loose[ownerReference]]
	}]
	Spec loose[struct {
		Replicas, Parallelism, Suspend loose[string]
		JobTemplate                    loose[struct {
			Spec loose[struct{ Parallelism loose[string] }]
		}]
	}]
	Status loose[struct {
		Phase, CompletionTime, DesiredNumberScheduled loose[string]
		Conditions                                    loose[[]loose[condition]]
		ContainerStatuses, InitContainerStatuses      loose[[]loose[containerStatus]]
	}]
}

type ownerReference struct{ APIVersion, Kind, Name, Controller loose[string] }

type condition struct{ Type, Status loose[string] }

type containerStatus struct{ Name, ImageID loose[string] }

// A podSpec is what matters of a PodSpec beside the rules on nodes.
type podSpec struct {
	OS               loose[struct{ Name loose[string] }]
	Resources        loose[resources]
	InitContainers   loose[[]loose[container]]
	Containers       loose[[]loose[container]]
	ImagePullSecrets loose[[]loose[struct{ Name loose[string] }]]
	Overhead         loose[map[string]loose[string]]
}

type container struct {
	Name, RestartPolicy loose[string]
	Resources           loose[resources]
}

type resources struct {
	Requests, Limits loose[map[string]loose[string]]
}

// of returns a request. A limit without one is a request too.
// https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#requests-and-limits
func (r resources) of(name string) (amount float64, said bool) {
	for _, m := range []map[string]loose[string]{r.Requests.v, r.Limits.v} {
		if q, ok := m[name]; ok {
			return quantity(q.v), true
		}
	}
	return 0, false
}

func (r resources) all() Resources {
	cores, _ := r.of("cpu")
	memory, _ := r.of("memory")
	return Resources{cores, memory}
}

// requests adds up what a Pod requests: its containers and sidecars, or an init
// container and the sidecars before it, whichever is more.
// https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
func (s podSpec) requests() Resources {
	var sidecars, most Resources
	for _, c := range s.InitContainers.v {
		mine := c.v.Resources.v.all().plus(sidecars)
		if c.v.RestartPolicy.v == "Always" {
			sidecars = mine
		}
		most = most.max(mine)
	}
	sum := sidecars
	for _, c := range s.Containers.v {
		sum = sum.plus(c.v.Resources.v.all())
	}
	most = most.max(sum)
	if cores, said := s.Resources.v.of("cpu"); said { // of the Pod as a whole takes precedence
		most.Cores = cores
	}
	if memory, said := s.Resources.v.of("memory"); said {
		most.Memory = memory
	}
	return most.plus(Resources{quantity(s.Overhead.v["cpu"].v), quantity(s.Overhead.v["memory"].v)})
}

// maxPods is more than any workload has.
const maxPods = 1_000_000

func count(s string, without int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return without
	}
	return min(n, maxPods)
}

// pods returns how many Pods an object of a kind runs now.
func (o object) pods(kind string) int {
	spec, status := o.Spec.v, o.Status.v
	switch kind {
	case "Pod":
		if o.over() {
			return 0
		}
		return 1
	case "PodTemplate":
		return 0
	case "DaemonSet":
		return count(status.DesiredNumberScheduled.v, 1)
	case "Job":
		if o.over() || spec.Suspend.v == "true" {
			return 0
		}
		return count(spec.Parallelism.v, 1)
	case "CronJob":
		if spec.Suspend.v == "true" {
			return 0
		}
		return count(spec.JobTemplate.v.Spec.v.Parallelism.v, 1)
	}
	return count(spec.Replicas.v, 1)
}

// over reports whether a Pod or a Job has come to its end.
func (o object) over() bool {
	if p := o.Status.v.Phase.v; p == "Succeeded" || p == "Failed" {
		return true
	}
	for _, c := range o.Status.v.Conditions.v {
		if t := c.v.Type.v; c.v.Status.v == "True" && (t == "Complete" || t == "Failed") {
			return true
		}
	}
	return false
}
