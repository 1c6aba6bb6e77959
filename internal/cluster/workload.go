package cluster

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

// A Workload is what is to run: the parts of its PodSpec that decide on which
// nodes it may.
type Workload struct {
	Name      string // for people: "Deployment/web"
	Kind      string
	Namespace string // empty for that of the context
	Spec      pod.Spec
	Beside    []json.RawMessage // objects of the same manifests, which may not be in the cluster yet

	os           string // of spec.os, which the kubelet insists on
	runtimeClass string
	overhead     map[string]quantity
	needs        map[string]resource.Quantity // of a Pod, without its overhead
	claims       []string                     // PersistentVolumeClaims
	classes      []string                     // storage classes of volumes that are made for each Pod; "" for the default
	volumes      []volume
}

// A volume keeps a Pod to the nodes that it can be attached to.
type volume struct {
	name  string
	terms []pod.Term
}

type podContainer struct {
	RestartPolicy string // Always makes a sidecar of an init container
	Resources     podResources
}

type podResources struct{ Requests, Limits map[string]quantity }

// requests returns what is asked for. A limit without a request is one too.
// https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#requests-and-limits
func (r podResources) requests() map[string]resource.Quantity {
	out := map[string]resource.Quantity{}
	for _, of := range []map[string]quantity{r.Limits, r.Requests} {
		for k, q := range of {
			out[k] = q.value()
		}
	}
	return out
}

type claimTemplate struct {
	Metadata struct{ Name string }
	Spec     struct{ StorageClassName string }
}

// NewWorkload reads what else decides from the PodSpec and its object, both as
// JSON.
func NewWorkload(w Workload, podSpec, object []byte) (*Workload, error) {
	var s struct {
		OS               struct{ Name string }
		RuntimeClassName string
		Overhead         map[string]quantity
		Resources        podResources
		InitContainers   []podContainer
		Containers       []podContainer
		Volumes          []struct {
			PersistentVolumeClaim struct{ ClaimName string }
			Ephemeral             *struct{ VolumeClaimTemplate claimTemplate }
		}
	}
	if err := json.Unmarshal(podSpec, &s); err != nil {
		return nil, err
	}
	var o struct {
		Spec struct{ VolumeClaimTemplates []claimTemplate } // of a StatefulSet
	}
	if w.Kind == "StatefulSet" {
		if err := json.Unmarshal(object, &o); err != nil {
			return nil, err
		}
	}
	w.os, w.runtimeClass, w.overhead = s.OS.Name, s.RuntimeClassName, s.Overhead
	w.needs = podNeeds(s.InitContainers, s.Containers, s.Resources)
	for _, v := range s.Volumes {
		if c := v.PersistentVolumeClaim.ClaimName; c != "" {
			w.claims = append(w.claims, c)
		}
		if v.Ephemeral != nil {
			w.classes = append(w.classes, v.Ephemeral.VolumeClaimTemplate.Spec.StorageClassName)
		}
	}
	for _, t := range o.Spec.VolumeClaimTemplates {
		w.claims = slices.DeleteFunc(w.claims, func(c string) bool { return c == t.Metadata.Name }) // each Pod has its own
		w.classes = append(w.classes, t.Spec.StorageClassName)
	}
	if w.Kind == "DaemonSet" {
		w.Spec.Tolerations = slices.Concat(w.Spec.Tolerations, daemonTolerations)
	}
	return &w, nil
}

// daemonTolerations are those that the controller adds to the Pods of a DaemonSet.
// https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations
var daemonTolerations = []pod.Toleration{
	{Key: "node.kubernetes.io/not-ready", Operator: "Exists", Effect: "NoExecute"},
	{Key: "node.kubernetes.io/unreachable", Operator: "Exists", Effect: "NoExecute"},
	{Key: "node.kubernetes.io/disk-pressure", Operator: "Exists", Effect: "NoSchedule"},
	{Key: "node.kubernetes.io/memory-pressure", Operator: "Exists", Effect: "NoSchedule"},
	{Key: "node.kubernetes.io/pid-pressure", Operator: "Exists", Effect: "NoSchedule"},
	{Key: cordonedTaint, Operator: "Exists", Effect: "NoSchedule"},
}

// podNeeds adds up what a Pod requests: its containers and sidecars, or an init
// container and the sidecars before it, whichever is more.
// https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
func podNeeds(inits, containers []podContainer, whole podResources) map[string]resource.Quantity {
	sidecars, most := map[string]resource.Quantity{}, map[string]resource.Quantity{}
	for _, c := range inits {
		mine := c.Resources.requests()
		if c.RestartPolicy == "Always" {
			plus(sidecars, mine)
			atLeast(most, sidecars)
			continue
		}
		plus(mine, sidecars)
		atLeast(most, mine)
	}
	sum := maps.Clone(sidecars)
	for _, c := range containers {
		plus(sum, c.Resources.requests())
	}
	atLeast(most, sum)
	for k, q := range whole.requests() { // spec.resources takes precedence
		most[k] = q
	}
	return most
}

func plus(sum, more map[string]resource.Quantity) {
	for k, q := range more {
		s := sum[k].DeepCopy()
		s.Add(q)
		sum[k] = s
	}
}

func atLeast(most, other map[string]resource.Quantity) {
	for k, q := range other {
		if have, ok := most[k]; !ok || q.Cmp(have) > 0 {
			most[k] = q.DeepCopy()
		}
	}
}

// mismatch returns why the workload cannot run on a node with the name and the
// labels, or "". A nil workload runs anywhere.
func (w *Workload) mismatch(name string, labels map[string]string, p platform.Platform) string {
	if w == nil {
		return ""
	}
	n := pod.Node{Name: name, Labels: labels}
	if why := w.Spec.Mismatch(n); why != "" {
		return why
	}
	for _, v := range w.volumes {
		if pod.TermOf(v.terms, n) < 0 {
			return v.outOfReach()
		}
	}
	return w.otherOS(p)
}

func (w *Workload) otherOS(p platform.Platform) string {
	if w.os != "" && p.OS != "" && w.os != p.OS {
		return "of another operating system than its spec.os, " + w.os
	}
	return ""
}

func (v volume) outOfReach() string {
	where := ""
	if len(v.terms) > 0 && len(v.terms[0].Expressions) > 0 {
		where = ", " + v.terms[0].Expressions[0].String()
	}
	return "out of reach of its volume " + v.name + where
}

// mismatchPool returns why the workload cannot run on nodes that a pool makes.
func (w *Workload) mismatchPool(p *pool, on platform.Platform) string {
	if w == nil {
		return ""
	}
	if w.placed() {
		return "not the node that nodeName names, " + w.Spec.NodeName
	}
	if !p.matches(on, w.Spec.NodeSelector) {
		return "whose nodes its nodeSelector rules out"
	}
	may := func(terms []pod.Term) bool {
		return slices.ContainsFunc(terms, func(t pod.Term) bool {
			named := slices.ContainsFunc(t.Fields, func(r pod.Requirement) bool { return r.Operator != "NotIn" })
			return !t.Empty() && !named && p.matches(on, slices.Concat(w.Spec.NodeSelector, t.Expressions))
		})
	}
	if w.Spec.Required && !may(w.Spec.Terms) {
		return "whose nodes its required node affinity rules out"
	}
	for _, v := range w.volumes {
		if !may(v.terms) {
			return v.outOfReach()
		}
	}
	return w.otherOS(on)
}

// unfit returns why a Pod does not fit on a node that nothing else runs on, by
// what it requests. What a node has may be unknown.
func (w *Workload) unfit(allocatable map[string]quantity) string {
	if w == nil || len(allocatable) == 0 {
		return ""
	}
	needs := maps.Clone(w.needs)
	if needs == nil {
		needs = map[string]resource.Quantity{}
	}
	for k, q := range w.overhead {
		s := needs[k].DeepCopy()
		s.Add(q.value())
		needs[k] = s
	}
	for _, k := range slices.SortedFunc(maps.Keys(needs), func(a, b string) int { return cmp.Or(rank(a)-rank(b), cmp.Compare(a, b)) }) {
		need := needs[k]
		have := allocatable[k].value()
		if !need.IsZero() && need.Cmp(have) > 0 {
			return "with less than the " + need.String() + " of " + k + " that it requests"
		}
	}
	if n, ok := allocatable["pods"]; ok && zeroOrLess(n) {
		return "without room for Pods"
	}
	return ""
}

// rank puts the resources that every node has first.
func rank(name string) int {
	if i := slices.Index([]string{"cpu", "memory", "ephemeral-storage"}, name); i >= 0 {
		return i
	}
	return 3
}

// placed reports whether the workload names its node itself, so that the
// scheduler has no say and taints of effect NoSchedule do not count.
func (w *Workload) placed() bool { return w != nil && w.Spec.NodeName != "" }

// asksFor reports whether a rule that the workload cannot go without is of a kind.
func (w *Workload) asksFor(is func(pod.Requirement) bool) bool {
	if w == nil {
		return false
	}
	if slices.ContainsFunc(w.Spec.NodeSelector, is) {
		return true
	}
	return w.Spec.Required && len(w.Spec.Terms) > 0 && !slices.ContainsFunc(w.Spec.Terms, func(t pod.Term) bool { return !slices.ContainsFunc(t.Expressions, is) })
}

// term returns the first term of the required node affinity that matches a node,
// 0 if there is none to match, and -1 if any rule on labels rules the node out.
func (w *Workload) term(n *Node) int {
	switch {
	case w == nil:
		return 0
	case w.mismatch(n.Name, n.Labels, platform.Platform{}) != "":
		return -1
	case !w.Spec.Required:
		return 0
	}
	return pod.TermOf(w.Spec.Terms, pod.Node{Name: n.Name, Labels: n.Labels})
}

// rules returns what nodes have to match that a term of the node affinity lets
// the workload onto: requirements on labels, and selectors of fields.
func (w *Workload) rules(term int) (labels []pod.Requirement, fields []string) {
	if w == nil {
		return nil, nil
	}
	labels = slices.Clone(w.Spec.NodeSelector)
	if w.placed() {
		fields = append(fields, "metadata.name="+w.Spec.NodeName)
	}
	if w.Spec.Required && term < len(w.Spec.Terms) {
		labels = append(labels, w.Spec.Terms[term].Expressions...)
		for _, r := range w.Spec.Terms[term].Fields {
			for _, v := range r.Values {
				switch {
				case r.Key == "metadata.name" && r.Operator == "NotIn":
					fields = append(fields, "metadata.name!="+v)
				case r.Key == "metadata.name" && r.Operator == "In" && len(r.Values) == 1:
					fields = append(fields, "metadata.name="+v)
				}
			}
		}
	}
	for _, v := range w.volumes {
		if len(v.terms) == 1 {
			labels = append(labels, v.terms[0].Expressions...)
		}
	}
	return labels, fields
}

// keys returns the labels that the rules of the workload are about.
func (w *Workload) keys() []string {
	if w == nil {
		return nil
	}
	var out []string
	add := func(rs []pod.Requirement) {
		for _, r := range rs {
			out = append(out, r.Key)
		}
	}
	add(w.Spec.NodeSelector)
	for _, t := range w.Spec.Terms {
		add(t.Expressions)
	}
	for _, v := range w.volumes {
		for _, t := range v.terms {
			add(t.Expressions)
		}
	}
	return out
}

func zeroOrLess(q quantity) bool {
	v := q.value()
	return v.Sign() <= 0
}
