package readiness

import (
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/pod"
)

// A Workload is what would have to run on another platform: what owns Pods, or
// a Pod that nothing owns.
type Workload struct {
	APIVersion, Kind string
	Namespace, Name  string
	Path             string // of the PodSpec, where the object has several
	File             string
	Line             int
	again            bool   // another file has one of the same name
	Owner            string // "Prometheus/k8s", which made it; empty for none, and for what is in the stream

	Spec         pod.Spec // the rules on nodes; its Containers are empty
	OS           string   // of spec.os
	Architecture string   // of a virtual machine
	Placed       bool     // Spec.NodeName is where a scheduler put it, not a rule
	Containers   []Container
	PullSecrets  []string // names
	Pods         int      // that it runs now
	Requests     Resources
}

// A Container is one whose image has to have the platform.
type Container struct {
	Name, Image string
	Init        bool
	Injected    bool   // it is in the Pods alone, where an admission webhook put it
	Digest      string // that runs now, or ""

	ref string // Image in full
}

// Title is how people name the workload: "Deployment/web".
func (w *Workload) Title() string { return w.Kind + "/" + w.Name }

// newWorkload makes a Workload of what kubeyaml found: the object and its
// PodSpec as JSON, in which every scalar is a string. Nothing of its arguments
// is kept alive.
func newWorkload(in Found, o object, s podSpec) *Workload {
	w := &Workload{
		APIVersion: strings.Clone(in.APIVersion), Kind: strings.Clone(in.Kind), Namespace: strings.Clone(in.Namespace), Name: strings.Clone(in.Name),
		Path: strings.Clone(in.Path), File: in.File, Line: in.Line,
		Spec: clone(in.Spec), OS: s.OS.v.Name.v, Architecture: strings.Clone(in.Architecture),
		Pods: o.pods(in.Kind), Requests: s.requests(),
	}
	w.Placed = in.Kind == "Pod" && (o.Metadata.v.UID.v != "" || o.Status.v.Phase.v != "")
	for _, r := range s.ImagePullSecrets.v {
		if n := r.v.Name.v; n != "" && !slices.Contains(w.PullSecrets, n) {
			w.PullSecrets = append(w.PullSecrets, n)
		}
	}
	inits := map[string]bool{}
	for _, c := range s.InitContainers.v {
		inits[c.v.Name.v] = true
	}
	for _, c := range in.Spec.Containers {
		w.Containers = append(w.Containers, Container{Name: strings.Clone(c.Name), Image: strings.Clone(c.Image), Init: inits[c.Name]})
	}
	return w
}

// clone copies the rules on nodes, so that they do not keep the bytes alive
// that they were read from.
func clone(s pod.Spec) pod.Spec {
	out := pod.Spec{NodeName: strings.Clone(s.NodeName), Required: s.Required}
	requirements := func(rs []pod.Requirement) (out []pod.Requirement) {
		for _, r := range rs {
			c := pod.Requirement{Key: strings.Clone(r.Key), Operator: strings.Clone(r.Operator), Field: strings.Clone(r.Field), Line: r.Line}
			for _, v := range r.Values {
				c.Values = append(c.Values, strings.Clone(v))
			}
			out = append(out, c)
		}
		return out
	}
	out.NodeSelector = requirements(s.NodeSelector)
	for _, t := range s.Terms {
		out.Terms = append(out.Terms, pod.Term{Expressions: requirements(t.Expressions), Fields: requirements(t.Fields), Line: t.Line})
	}
	for _, t := range s.Tolerations {
		out.Tolerations = append(out.Tolerations, pod.Toleration{Key: strings.Clone(t.Key), Operator: strings.Clone(t.Operator), Value: strings.Clone(t.Value), Effect: strings.Clone(t.Effect)})
	}
	return out
}
