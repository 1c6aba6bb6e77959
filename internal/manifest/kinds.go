package manifest

import "strings"

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

// group gives the API group of an apiVersion: "apps" of apps/v1, "" of v1.
func group(apiVersion string) string {
	g, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return ""
	}
	return g
}
