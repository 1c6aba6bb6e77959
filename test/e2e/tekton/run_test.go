package tekton_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
)

var (
	pipelineRuns = schema.GroupVersionResource{Group: "tekton.dev", Version: "v1", Resource: "pipelineruns"}
	taskRuns     = schema.GroupVersionResource{Group: "tekton.dev", Version: "v1", Resource: "taskruns"}
)

// A run is how a PipelineRun or a TaskRun ended.
type run struct {
	object  *unstructured.Unstructured
	status  string // of its condition Succeeded: "True", "False", "Unknown"
	reason  string
	message string
}

func runOf(object *unstructured.Unstructured) run {
	r := run{object: object, status: "Unknown"}
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if condition["type"] == "Succeeded" {
			r.status, _ = condition["status"].(string)
			r.reason, _ = condition["reason"].(string)
			r.message, _ = condition["message"].(string)
		}
	}
	return r
}

// results are those of the run: strings, and arrays as []any.
func (r run) results() map[string]any {
	results, _, _ := unstructured.NestedSlice(r.object.Object, "status", "results")
	values := map[string]any{}
	for _, item := range results {
		result, _ := item.(map[string]any)
		name, _ := result["name"].(string)
		values[name] = result["value"]
	}
	return values
}

// param is a param of the run that is a string.
func (r run) param(name string) string {
	params, _, _ := unstructured.NestedSlice(r.object.Object, "spec", "params")
	for _, item := range params {
		param, _ := item.(map[string]any)
		if value, ok := param["value"].(string); ok && param["name"] == name {
			return value
		}
	}
	return ""
}

// finished waits for the end of a run, and says how it went in the test's log if it failed.
func (b *bench) finished(t *testing.T, resource schema.GroupVersionResource, name string) run {
	t.Helper()
	var r run
	err := wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, 5*time.Minute, true, func(ctx context.Context) (bool, error) {
		object, err := b.dynamic.Resource(resource).Namespace(b.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		r = runOf(object)
		return r.status != "Unknown", nil
	})
	if err != nil || r.status == "False" {
		t.Logf("%s %s: %s: %s\n%s", resource.Resource, name, r.reason, r.message, b.logs(t, name))
	}
	if err != nil {
		t.Fatalf("waiting for %s %s: %v", resource.Resource, name, err)
	}
	return r
}

// legs are the TaskRuns of a pipeline's task, oldest first.
func (b *bench) legs(t *testing.T, pipelineRun, task string) []run {
	t.Helper()
	list, err := b.dynamic.Resource(taskRuns).Namespace(b.namespace).List(t.Context(), metav1.ListOptions{
		LabelSelector: "tekton.dev/pipelineRun=" + pipelineRun + ",tekton.dev/pipelineTask=" + task,
	})
	if err != nil {
		t.Fatal(err)
	}
	var runs []run
	for i := range list.Items {
		runs = append(runs, runOf(&list.Items[i]))
	}
	slices.SortFunc(runs, func(x, y run) int { return strings.Compare(x.object.GetName(), y.object.GetName()) })
	return runs
}

// logs are those of the pods of a run, by pod and container.
func (b *bench) logs(t *testing.T, name string) string {
	t.Helper()
	var s strings.Builder
	for _, label := range []string{"tekton.dev/pipelineRun", "tekton.dev/taskRun"} {
		pods, err := b.Client.CoreV1().Pods(b.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: label + "=" + name})
		if err != nil {
			t.Fatal(err)
		}
		for _, pod := range pods.Items {
			for _, container := range pod.Spec.Containers {
				fmt.Fprintf(&s, "== %s/%s on %s\n%s", pod.Name, container.Name, pod.Spec.NodeName, b.log(t, pod.Name, container.Name))
			}
		}
	}
	return s.String()
}

func (b *bench) log(t *testing.T, pod, container string) string {
	t.Helper()
	r, err := b.Client.CoreV1().Pods(b.namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container}).Stream(t.Context())
	if err != nil {
		return err.Error() + "\n"
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return err.Error() + "\n"
	}
	return string(text)
}
