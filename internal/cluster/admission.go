package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/pod"
)

// What the API server and the scheduler read beside the Pod: its namespace, its
// RuntimeClass and its volumes.

// An objectName names an object that is read.
type objectName struct{ kind, namespace, name string }

// A getter reads single objects of a cluster, or of a record of one.
type getter interface {
	// get returns nil for an object that does not exist.
	get(ctx context.Context, o objectName) (json.RawMessage, error)
}

// admit returns the workload as the API server of a cluster would make it, and
// what could not be considered. Rules that contradict each other are an error
// of code Impossible.
func (w *Workload) admit(ctx context.Context, from getter, namespace string) (*Workload, []string, error) {
	a := &admission{Workload: *w, from: from}
	if a.Namespace == "" {
		a.Namespace = namespace
	}
	for _, step := range []func(context.Context) error{a.applyNamespace, a.applyRuntimeClass, a.applyVolumes} {
		if err := step(ctx); err != nil {
			return nil, nil, err
		}
	}
	return &a.Workload, a.warnings, nil
}

type admission struct {
	Workload
	from     getter
	warnings []string
}

// read decodes an object of the cluster, or else one of the same manifests.
func (a *admission) read(ctx context.Context, o objectName, into any) (found bool, err error) {
	raw, err := a.from.get(ctx, o)
	if err != nil {
		return false, err
	}
	if raw == nil {
		raw = lookUp(a.Beside, o, a.Namespace)
	}
	if raw == nil {
		return false, nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, exit.Failf("reading %s %s: %w", o.kind, o.name, err)
	}
	return true, nil
}

// lookUp finds an object among some, of which one without a namespace is in
// that of the workload.
func lookUp(objects []json.RawMessage, o objectName, namespace string) json.RawMessage {
	for _, raw := range objects {
		var m struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
		}
		if json.Unmarshal(raw, &m) == nil && m.Kind == o.kind && m.Metadata.Name == o.name &&
			(o.namespace == "" || m.Metadata.Namespace == o.namespace || m.Metadata.Namespace == "" && o.namespace == namespace) {
			return raw
		}
	}
	return nil
}

// Annotations of a namespace that admission plugins apply to its Pods.
// https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#podnodeselector
// https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#podtolerationrestriction
// https://docs.openshift.com/container-platform/latest/nodes/scheduling/nodes-scheduler-node-selectors.html
const (
	namespaceSelector    = "scheduler.alpha.kubernetes.io/node-selector"
	namespaceTolerations = "scheduler.alpha.kubernetes.io/defaultTolerations"
	projectSelector      = "openshift.io/node-selector"
)

func (a *admission) applyNamespace(ctx context.Context) error {
	var ns struct{ Metadata meta }
	found, err := a.read(ctx, objectName{"Namespace", "", a.Namespace}, &ns)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		a.warnings = append(a.warnings, fmt.Sprintf("%s; going on as if the namespace had no rules of its own", err))
		return nil
	}
	if !found {
		return nil
	}
	for _, key := range []string{namespaceSelector, projectSelector} {
		for _, s := range strings.Split(ns.Metadata.Annotations[key], ",") {
			k, v, ok := strings.Cut(s, "=")
			if k = strings.TrimSpace(k); !ok || k == "" {
				continue
			}
			if err := a.require(k, strings.TrimSpace(strings.TrimPrefix(v, "=")), "the annotation "+key+" of its namespace "+a.Namespace); err != nil {
				return err
			}
		}
	}
	if s := ns.Metadata.Annotations[namespaceTolerations]; s != "" {
		var more []pod.Toleration
		if err := json.Unmarshal([]byte(s), &more); err != nil {
			a.warnings = append(a.warnings, fmt.Sprintf("reading the annotation %s of namespace %s: %s", namespaceTolerations, a.Namespace, err))
		}
		a.Spec.Tolerations = slices.Concat(a.Spec.Tolerations, more)
	}
	return nil
}

// require adds to the nodeSelector what somebody else asks for.
func (a *admission) require(key, value, who string) error {
	for _, r := range a.Spec.NodeSelector {
		if r.Key == key && !slices.Equal(r.Values, []string{value}) {
			return exit.Impossiblef("%s asks for %s=%s, and %s for %s", who, key, value, a.Name, r).
				Hint("the API server refuses such a Pod: change one of the two")
		}
	}
	a.Spec.NodeSelector = append(slices.Clone(a.Spec.NodeSelector), pod.In(key, value))
	return nil
}

// applyRuntimeClass follows the admission plugin RuntimeClass.
// https://kubernetes.io/docs/concepts/containers/runtime-class/#scheduling
func (a *admission) applyRuntimeClass(ctx context.Context) error {
	if a.runtimeClass == "" {
		return nil
	}
	var rc struct {
		Scheduling struct {
			NodeSelector map[string]string
			Tolerations  []pod.Toleration
		}
		Overhead struct{ PodFixed map[string]quantity }
	}
	found, err := a.read(ctx, objectName{"RuntimeClass", "", a.runtimeClass}, &rc)
	switch {
	case err != nil:
		return err
	case !found:
		return exit.Impossiblef("%s asks for the RuntimeClass %s, which is not there", a.Name, a.runtimeClass).
			Hint("apply the RuntimeClass first, or put it into the same manifests")
	}
	for _, k := range slices.Sorted(maps.Keys(rc.Scheduling.NodeSelector)) {
		if err := a.require(k, rc.Scheduling.NodeSelector[k], "its RuntimeClass "+a.runtimeClass); err != nil {
			return err
		}
	}
	a.Spec.Tolerations = slices.Concat(a.Spec.Tolerations, rc.Scheduling.Tolerations)
	if a.overhead == nil {
		a.overhead = rc.Overhead.PodFixed
	}
	return nil
}

type nodeTerms []struct{ MatchExpressions, MatchFields []pod.Requirement }

func (ts nodeTerms) terms() []pod.Term {
	var out []pod.Term
	for _, t := range ts {
		out = append(out, pod.Term{Expressions: t.MatchExpressions, Fields: t.MatchFields})
	}
	return out
}

// applyVolumes reads where the volumes are that the workload claims. One that
// does not exist yet is made where the workload runs, within what its storage
// class allows.
func (a *admission) applyVolumes(ctx context.Context) error {
	for _, name := range a.claims {
		var claim struct {
			Spec struct{ VolumeName, StorageClassName string }
		}
		found, err := a.read(ctx, objectName{"PersistentVolumeClaim", a.Namespace, name}, &claim)
		switch {
		case err != nil:
			return err
		case !found:
			a.warnings = append(a.warnings, fmt.Sprintf("%s claims the volume %s, which is not there yet; going on as if it could be anywhere", a.Name, name))
		case claim.Spec.VolumeName != "":
			err = a.bound(ctx, name, claim.Spec.VolumeName)
		default:
			err = a.unbound(ctx, name, claim.Spec.StorageClassName)
		}
		if err != nil {
			return err
		}
	}
	for _, class := range a.classes {
		if err := a.unbound(ctx, "of class "+class, class); err != nil {
			return err
		}
	}
	return nil
}

// bound adds the place of a volume: its node affinity, and the labels that
// volumes had before.
func (a *admission) bound(ctx context.Context, claim, name string) error {
	var pv struct {
		Metadata meta
		Spec     struct {
			NodeAffinity struct {
				Required struct{ NodeSelectorTerms nodeTerms }
			}
		}
	}
	found, err := a.read(ctx, objectName{"PersistentVolume", "", name}, &pv)
	if err != nil {
		return err
	}
	if !found {
		a.warnings = append(a.warnings, fmt.Sprintf("the volume %s of claim %s is not there; going on as if it could be anywhere", name, claim))
		return nil
	}
	if terms := pv.Spec.NodeAffinity.Required.NodeSelectorTerms.terms(); len(terms) > 0 {
		a.volumes = append(a.volumes, volume{claim, terms})
	}
	for _, key := range []string{"topology.kubernetes.io/zone", "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"} {
		if v := pv.Metadata.Labels[key]; v != "" { // one in several zones has them joined
			in := pod.Term{Expressions: []pod.Requirement{pod.In(modern(key), strings.Split(v, "__")...)}}
			a.volumes = append(a.volumes, volume{claim, []pod.Term{in, placeless}})
		}
	}
	return nil
}

// placeless are nodes without a zone, to which the scheduler's plugin VolumeZone
// lets any volume.
var placeless = pod.Term{Expressions: []pod.Requirement{
	{Key: "topology.kubernetes.io/zone", Operator: "DoesNotExist"}, {Key: "topology.kubernetes.io/region", Operator: "DoesNotExist"},
}}

// unbound adds the topologies that a storage class allows.
// https://kubernetes.io/docs/concepts/storage/storage-classes/#allowed-topologies
func (a *admission) unbound(ctx context.Context, claim, class string) error {
	if class == "" {
		return nil // the default class, whose name only a list of all would show
	}
	var sc struct {
		AllowedTopologies []struct {
			MatchLabelExpressions []struct {
				Key    string
				Values []string
			}
		}
	}
	found, err := a.read(ctx, objectName{"StorageClass", "", class}, &sc)
	if err != nil || !found {
		return err
	}
	var terms []pod.Term
	for _, t := range sc.AllowedTopologies {
		var term pod.Term
		for _, e := range t.MatchLabelExpressions {
			term.Expressions = append(term.Expressions, pod.In(e.Key, e.Values...))
		}
		terms = append(terms, term)
	}
	if len(terms) > 0 {
		a.volumes = append(a.volumes, volume{claim, terms})
	}
	return nil
}
