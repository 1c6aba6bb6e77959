package world

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"

	"github.com/polyarch/polyarch/test/e2e/cluster"
)

// pipelineRun runs the Task of the published bundle, with the published image, in a
// cluster that has nothing of ours: only the rights that the release's rbac.yaml
// grants.
func (w *world) pipelineRun(t *testing.T) {
	c := cluster.StartTwoArch(t)
	serve(t, c.Listen(t, "3128"), w.proxy)
	images := c.Listen(t, "5001")
	serve(t, images, w.images)
	_, port, _ := net.SplitHostPort(images.Addr().String())
	c.Mirror(t, "ghcr.io", "http://"+cluster.Host+":"+port)
	c.TektonTrusts(w.proxy.alone)
	c.InstallTekton(t, "set-security-context=true")
	c.InstallResolvers(t)
	proxied := map[string]string{"HTTPS_PROXY": "http://" + cluster.Host + ":3128", "NO_PROXY": "10.0.0.0/8"}
	c.SetEnv(t, "tekton-pipelines", "tekton-pipelines-controller", proxied)
	c.SetEnv(t, "tekton-pipelines-resolvers", "tekton-pipelines-remote-resolvers", proxied)

	rights, err := os.ReadFile(filepath.Join(w.clone(t, version), "tasks/detect-arch/rbac.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c.Apply(t, "default", string(rights))
	c.Apply(t, "default", `apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {name: world}
spec:
  taskRunTemplate: {serviceAccountName: polyarch}
  pipelineSpec:
    results: [{name: platforms, value: "$(tasks.detect.results.platforms[*])"}]
    tasks:
    - name: detect
      taskRef:
        resolver: bundles
        params:
        - {name: bundle, value: "ghcr.io/polyarch/catalog:`+version+`"}
        - {name: name, value: detect-arch}
        - {name: kind, value: task}
    - name: version
      runAfter: [detect]
      taskSpec:
        steps:
        - {name: version, image: "ghcr.io/polyarch/detect-arch:`+version+`", args: [--version]}
`)
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	runs := client.Resource(schema.GroupVersionResource{Group: "tekton.dev", Version: "v1", Resource: "pipelineruns"}).Namespace("default")
	var run *unstructured.Unstructured
	var condition map[string]any
	err = wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, 5*time.Minute, true, func(ctx context.Context) (bool, error) {
		if run, err = runs.Get(ctx, "world", metav1.GetOptions{}); err != nil {
			return false, err
		}
		conditions, _, _ := unstructured.NestedSlice(run.Object, "status", "conditions")
		if len(conditions) > 0 {
			condition, _ = conditions[0].(map[string]any)
		}
		return condition["status"] == "True" || condition["status"] == "False", nil
	})
	if err != nil || condition["status"] != "True" {
		t.Fatalf("the PipelineRun: %v: %v", err, condition)
	}
	results, _, _ := unstructured.NestedSlice(run.Object, "status", "results")
	if len(results) != 1 || !strings.Contains(strings.Join(strings.Fields(toString(results[0])), " "), "linux/amd64 linux/arm64") {
		t.Errorf("results %v", results)
	}
	pods, err := c.Client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "tekton.dev/pipelineRun=world"})
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, pod := range pods.Items {
		for _, container := range pod.Spec.Containers {
			said += container.Image + "\n"
			said += logOf(t, c, pod.Name, container.Name)
		}
	}
	ref, err := name.ParseReference(w.registry + "/polyarch/detect-arch:" + version)
	if err != nil {
		t.Fatal(err)
	}
	published, err := remote.Head(ref, w.login(), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ghcr.io/polyarch/detect-arch@" + published.Digest.String() + "\n", "detect-arch " + version + " ("} {
		if !strings.Contains(said, want) {
			t.Errorf("the pods do not say %q:\n%s", want, said)
		}
	}
}

func toString(v any) string {
	m, _ := v.(map[string]any)
	values, _ := m["value"].([]any)
	var s []string
	for _, v := range values {
		text, _ := v.(string)
		s = append(s, text)
	}
	return strings.Join(s, " ")
}

func logOf(t *testing.T, c *cluster.TwoArch, pod, container string) string {
	t.Helper()
	r, err := c.Client.CoreV1().Pods("default").GetLogs(pod, &corev1.PodLogOptions{Container: container}).Stream(t.Context())
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
