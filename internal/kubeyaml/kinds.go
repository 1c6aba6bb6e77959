package kubeyaml

import (
	"maps"
	"regexp"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

// holders says where the kinds of Kubernetes and its neighbours hold their
// PodSpec. The key is GROUP/KIND, the group of the core being empty.
var holders = map[string]string{
	"/Pod":                   "spec",
	"/PodTemplate":           "template.spec",
	"/ReplicationController": "spec.template.spec",
	"apps/DaemonSet":         "spec.template.spec",
	"apps/Deployment":        "spec.template.spec",
	"apps/ReplicaSet":        "spec.template.spec",
	"apps/StatefulSet":       "spec.template.spec",
	"batch/CronJob":          "spec.jobTemplate.spec.template.spec",
	"batch/Job":              "spec.template.spec",
	"extensions/DaemonSet":   "spec.template.spec", // before Kubernetes 1.16
	"extensions/Deployment":  "spec.template.spec",
	"extensions/ReplicaSet":  "spec.template.spec",

	"argoproj.io/Rollout":               "spec.template.spec",
	"serving.knative.dev/Configuration": "spec.template.spec",
	"serving.knative.dev/Revision":      "spec",
	"serving.knative.dev/Service":       "spec.template.spec",
}

// Kinds says where the kinds of objects hold their PodSpecs. The zero value
// knows Kubernetes' own kinds, Argo Rollouts and Knative.
type Kinds struct {
	more map[string][][]string
}

var podSpecFlag = regexp.MustCompile(`^([a-z0-9.-]*/)?([A-Z][A-Za-z0-9]*)=([A-Za-z][A-Za-z0-9]*(?:\[\*\])?(?:\.[A-Za-z][A-Za-z0-9]*(?:\[\*\])?)*)$`)

// Add adds a place: GROUP/KIND=PATH, where PATH is keys joined by dots, and a
// key followed by [*] is a list of which each item is taken.
func (k *Kinds) Add(s string) error {
	m := podSpecFlag.FindStringSubmatch(s)
	if m == nil {
		return exit.Usagef("%q is not GROUP/KIND=PATH", s).
			Hint("for example ray.io/RayCluster=spec.workerGroupSpecs[*].template.spec")
	}
	kind := strings.TrimSuffix(m[1], "/") + "/" + m[2]
	more := maps.Clone(k.more)
	if more == nil {
		more = map[string][][]string{}
	}
	more[kind] = append(more[kind], strings.Split(m[3], "."))
	k.more = more
	return nil
}

// paths returns the places of a kind.
func (k Kinds) paths(apiVersion, kind string) [][]string {
	if group(apiVersion) == "" && apiVersion != "v1" { // the core has this one version
		return nil
	}
	name := group(apiVersion) + "/" + kind
	paths := k.more[name]
	if p, ok := holders[name]; ok {
		paths = append([][]string{strings.Split(p, ".")}, paths...)
	}
	return paths
}

// group returns the API group of an apiVersion: "apps" of apps/v1, "" of v1.
func group(apiVersion string) string {
	g, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return ""
	}
	return g
}
