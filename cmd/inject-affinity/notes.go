package main

import (
	"fmt"
	"strings"

	"github.com/polyarch/polyarch/internal/kubeyaml"
)

// title names a workload in a message.
func title(w *kubeyaml.Workload) string { return strings.TrimSpace(w.Kind + " " + w.Name) }

// warnings says what may keep an injected workload from being taken.
func warnings(w *kubeyaml.Workload) []string {
	if strings.HasPrefix(w.APIVersion, "serving.knative.dev/") {
		return []string{fmt.Sprintf("%s: Knative refuses affinity and tolerations unless kubernetes.podspec-affinity and kubernetes.podspec-tolerations are enabled in its ConfigMap config-features", title(w))}
	}
	return nil
}

// notes says what re-applying an injected workload runs into: these fields of
// a Pod, and the template of a Job, cannot be changed once they exist. The
// templates of a StatefulSet, a Deployment and a DaemonSet can.
func notes(w *kubeyaml.Workload) []string {
	if w.Generated {
		return nil
	}
	switch {
	case w.Kind == "Job" && strings.HasPrefix(w.APIVersion, "batch/"):
		return []string{fmt.Sprintf("%s: the API server refuses a new template for a Job that exists; delete it before applying", title(w))}
	case w.Kind == "Pod" && w.APIVersion == "v1":
		return []string{fmt.Sprintf("%s: the API server refuses a new affinity for a Pod that exists; delete it before applying", title(w))}
	}
	return nil
}
