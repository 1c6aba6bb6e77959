package cluster_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

func TestTwoArch(t *testing.T) {
	c := cluster.StartTwoArch(t)
	t.Run("pods run on both nodes", func(t *testing.T) { podsRunOnBothNodes(t, c) })
	t.Run("Tekton runs a task", func(t *testing.T) { tektonRunsATask(t, c) })
	dir := filepath.Dir(c.Kubeconfig)
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if left := traces(t, dir); len(left) > 0 {
		t.Errorf("after Stop these are left: %q", left)
	}
}

func podsRunOnBothNodes(t *testing.T, c *cluster.TwoArch) {
	var images []cluster.Image
	for _, arch := range []string{"amd64", "arm64"} {
		hello := tool.Build(t, tool.Program{Name: "hello", Module: "../../../samples/hello", Package: ".", Arch: arch})
		images = append(images, cluster.Image{Arch: arch, Files: map[string]string{"/hello": hello}, Entrypoint: []string{"/hello"}, User: "65532"})
	}
	ref := c.Push(t, "hello:1", images...)
	namespace := c.Namespace(t)
	for _, arch := range []string{"amd64", "arm64"} {
		c.Apply(t, namespace, fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: hello-%[1]s}
spec:
  nodeSelector: {kubernetes.io/arch: %[1]s}
  containers: [{name: hello, image: %[2]q}]
`, arch, ref))
	}
	for arch, node := range map[string]string{"amd64": "node-1", "arm64": "node-2"} {
		on, log := logOf(t, c, namespace, "hello-"+arch, "Running on")
		if on != node || !strings.Contains(log, "Running on linux/"+arch) {
			t.Errorf("hello-%s on %s says %q, want linux/%s on %s", arch, on, log, arch, node)
		}
	}
}

// logOf waits until a pod has printed the text, and returns its node and its
// log.
func logOf(t *testing.T, c *cluster.TwoArch, namespace, pod, text string) (node, log string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		p, err := c.Client.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		node = p.Spec.NodeName
		if p.Status.Phase == corev1.PodPending {
			return false, nil
		}
		r, err := c.Client.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{}).Stream(ctx)
		if err != nil {
			return false, nil
		}
		defer r.Close()
		b, err := io.ReadAll(io.LimitReader(r, 1<<20))
		log = string(b)
		return strings.Contains(log, text), err
	})
	if err != nil {
		t.Fatalf("waiting for pod %s to say %q: %v; it is on %q and says %q", pod, text, err, node, log)
	}
	return node, log
}

func tektonRunsATask(t *testing.T, c *cluster.TwoArch) {
	c.InstallTekton(t)
	namespace := c.Namespace(t)
	c.Apply(t, namespace, `apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: say}
spec:
  podTemplate: {nodeSelector: {kubernetes.io/arch: arm64}}
  taskSpec:
    steps:
    - name: say
      image: `+c.Registry+`/busybox:1
      script: |
        #!/bin/sh
        uname -m
`)
	on, log := logOf(t, c, namespace, "say-pod", "aarch64")
	if on != "node-2" {
		t.Errorf("the task ran on %s and said %q", on, log)
	}
}
