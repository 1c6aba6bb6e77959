package admission

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// workloads are one of each kind, and the node of each of their Pods is known.
const workloads = `apiVersion: batch/v1
kind: CronJob
metadata: {name: cronjob}
spec:
  schedule: "* * * * *"
  concurrencyPolicy: Forbid
  jobTemplate: {spec: {backoffLimit: 30, template: {metadata: {labels: {app: cronjob}}, spec: {restartPolicy: Never, containers: [{name: c, image: REGISTRY/hello-arm}]}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  completions: 3
  backoffLimit: 30
  template: {metadata: {labels: {app: job}}, spec: {restartPolicy: Never, containers: [{name: c, image: "REGISTRY/hello-arm:latest"}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: deployment}
spec:
  replicas: 3
  selector: {matchLabels: {app: deployment}}
  template: {metadata: {labels: {app: deployment}}, spec: {initContainers: [{name: i, image: "REGISTRY/hello-both:1"}], containers: [{name: c, image: "REGISTRY/amd:1"}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: statefulset}
spec:
  replicas: 2
  selector: {matchLabels: {app: statefulset}}
  template: {metadata: {labels: {app: statefulset}}, spec: {containers: [{name: c, image: "REGISTRY/arm:1"}, {name: d, image: "REGISTRY/both:1"}]}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: daemonset-amd}
spec:
  selector: {matchLabels: {app: daemonset-amd}}
  template: {metadata: {labels: {app: daemonset-amd}}, spec: {containers: [{name: c, image: "REGISTRY/amd:1"}]}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: daemonset-both}
spec:
  selector: {matchLabels: {app: daemonset-both}}
  template: {metadata: {labels: {app: daemonset-both}}, spec: {containers: [{name: c, image: "REGISTRY/both:1"}]}}
`

const chart = `apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: 2
  selector: {matchLabels: {app: helm}}
  template: {metadata: {labels: {app: helm}}, spec: {containers: [{name: c, image: "{{ .Values.image }}"}]}}
`

const taskRun = `apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: operator-%d, labels: {app: operator}}
spec:
  taskSpec:
    steps: [{name: hello, image: "%s", command: [/hello]}]
`

// TestWorkloads runs workloads of every kind on a cluster of an amd64 and an
// arm64 node, as they are: no manifest is pinned. Real controllers make their
// Pods, of Kubernetes, of Tekton, of a chart, and each runs where it can.
func TestWorkloads(t *testing.T) {
	c := cluster.StartTwoArch(t)
	program := tool.Ours(t, "inject-affinity")
	in := func(stdin, name string, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
		cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
		if err := c.Run(cmd); err != nil {
			t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, errs.String())
		}
		return out.String()
	}
	kubectl := tool.Build(t, tool.Kubectl)
	c.InstallTekton(t)
	in("", kubectl, "apply", "-k", catalog())
	if err := heeded(t.Context(), c.ControlPlane); err != nil {
		t.Fatal(err)
	}
	namespace := c.Namespace(t)
	of := func(name string, program func(string) tool.Program, path string, arches ...string) string {
		var images []cluster.Image
		for _, arch := range arches {
			images = append(images, cluster.Image{Arch: arch, Files: map[string]string{path: tool.Build(t, program(arch))}, Entrypoint: []string{path}, User: "65532"})
		}
		return c.Push(t, name, images...)
	}
	hello := func(arch string) tool.Program {
		return tool.Program{Name: "hello", Module: "../../../samples/hello", Package: ".", Arch: arch}
	}
	of("amd:1", tool.Pause, "/pause", "amd64")
	of("arm:1", tool.Pause, "/pause", "arm64")
	of("both:1", tool.Pause, "/pause", "amd64", "arm64")
	of("hello-both:1", hello, "/hello", "amd64", "arm64")
	of("hello-arm:latest", hello, "/hello", "arm64")
	charted := of("chart:1", tool.Pause, "/pause", "arm64")
	stepped := of("step:1", hello, "/hello", "arm64")

	// the registry knows the platforms; what no manifest names is named
	manifests := strings.ReplaceAll(workloads, "REGISTRY", c.Registry)
	data := in(manifests, program, "--policy", "--insecure-registry", c.Registry, "--image", "chart="+charted, "--image", "step="+stepped, "-")
	c.Apply(t, namespace, data)
	seenOn(t, c, namespace, charted)
	in(manifests, kubectl, "apply", "-n", namespace, "-f", "-")

	dir := t.TempDir()
	for name, text := range map[string]string{"Chart.yaml": "apiVersion: v2\nname: app\nversion: 0.1.0\n", "templates/app.yaml": chart} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range []struct{ app, nodes string }{
		{"job", "node-2 node-2 node-2"},
		{"deployment", "node-1 node-1 node-1"},
		{"statefulset", "node-2 node-2"},
		{"daemonset-amd", "node-1"},
		{"daemonset-both", "node-1 node-2"},
	} {
		runsOn(t, c, namespace, w.app, w.nodes)
	}
	// one after the other: the emulated node does not start many Pods at a time
	in("", tool.Build(t, tool.Helm3), "install", "-n", namespace, "chart", dir, "--set", "image="+charted)
	runsOn(t, c, namespace, "helm", "node-2 node-2")
	tektonRunsOn(t, c, namespace, stepped, "node-2")
	runsOn(t, c, namespace, "cronjob", "node-2")
	for name, want := range map[string]int32{"daemonset-amd": 1, "daemonset-both": 2} {
		d, err := c.Client.AppsV1().DaemonSets(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d.Status.DesiredNumberScheduled != want {
			t.Errorf("%s is to run on %d nodes, want %d", name, d.Status.DesiredNumberScheduled, want)
		}
	}
}

// tektonRunsOn waits until a TaskRun's Pod has succeeded. A Pod of Tekton's is
// not started again, and on an emulated node its start may fail: then there is
// another TaskRun. All of them have to be on the node.
func tektonRunsOn(t *testing.T, c *cluster.TwoArch, namespace, image, node string) {
	t.Helper()
	for try := range 10 {
		c.Apply(t, namespace, fmt.Sprintf(taskRun, try, image))
		var last corev1.Pod
		err := wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, 4*time.Minute, true, func(ctx context.Context) (bool, error) {
			pods, err := c.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: fmt.Sprint("tekton.dev/taskRun=operator-", try)})
			if err != nil || len(pods.Items) == 0 {
				return false, err
			}
			last = pods.Items[0]
			return last.Status.Phase == corev1.PodSucceeded || last.Status.Phase == corev1.PodFailed, nil
		})
		if err != nil || last.Spec.NodeName != node {
			t.Fatalf("the Pod of a TaskRun is on %q, want %s: %v; %v", last.Spec.NodeName, node, err, last.Status)
		}
		if last.Status.Phase == corev1.PodSucceeded {
			return
		}
		t.Logf("the Pod of a TaskRun failed: %v", last.Status.InitContainerStatuses)
	}
	t.Fatal("no TaskRun succeeded")
}

// seenOn waits until the server has the parameters, by an image that is in them.
func seenOn(t *testing.T, c *cluster.TwoArch, namespace, image string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		p, err := dryRun(ctx, c.Client, namespace, podOf("x", corev1.PodSpec{}, image))
		return err == nil && terms(p.Spec) != nil, nil
	})
	if err != nil {
		t.Fatalf("waiting for the parameters: %v", err)
	}
}

// runsOn waits until an app's Pods have run, and compares their nodes. A CronJob
// may have made more of them by then.
func runsOn(t *testing.T, c *cluster.TwoArch, namespace, app, want string) {
	t.Helper()
	var nodes, why []string
	err := wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, 4*time.Minute, true, func(ctx context.Context) (bool, error) {
		pods, err := c.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
		if err != nil {
			return false, err
		}
		nodes, why = nil, nil
		for _, p := range pods.Items {
			if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodRunning {
				nodes = append(nodes, p.Spec.NodeName)
			} else {
				why = append(why, fmt.Sprintf("%s is %s on %q: %v", p.Name, p.Status.Phase, p.Spec.NodeName, p.Status.Conditions))
			}
		}
		slices.Sort(nodes)
		if app == "cronjob" {
			nodes = slices.Compact(nodes)
		}
		return strings.Join(nodes, " ") == want, nil
	})
	if err != nil {
		t.Errorf("%s runs on %s, want %s: %v", app, nodes, want, why)
	}
}
