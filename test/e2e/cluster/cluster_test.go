package cluster_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

func mixedNodes() []*corev1.Node {
	cordoned := cluster.Node("cordoned", "linux", "s390x")
	cordoned.Spec.Unschedulable = true
	tainted := cluster.Node("tainted", "linux", "arm64")
	tainted.Spec.Taints = []corev1.Taint{{Key: "kubernetes.io/arch", Value: "arm64", Effect: corev1.TaintEffectNoSchedule}}
	return []*corev1.Node{
		cluster.Node("amd", "linux", "amd64"),
		cluster.Node("arm", "linux", "arm64"),
		cluster.Node("windows", "windows", "amd64"),
		cordoned,
		tainted,
	}
}

func TestNodesThroughKubeconfig(t *testing.T) {
	c := cluster.Shared(t)
	c.SetNodes(t, mixedNodes()...)
	kubectl := exec.Command(tool.Build(t, tool.Kubectl), "--kubeconfig", c.Kubeconfig, "get", "nodes", "-o",
		`jsonpath={range .items[*]}{.metadata.name}={.metadata.labels.kubernetes\.io/os}/{.status.nodeInfo.architecture} {end}`)
	out, err := kubectl.CombinedOutput()
	if err != nil {
		t.Fatalf("running kubectl: %v\n%s", err, out)
	}
	want := "amd=linux/amd64 arm=linux/arm64 cordoned=linux/s390x tainted=linux/arm64 windows=windows/amd64"
	if diff := cmp.Diff(want, strings.TrimSpace(string(out))); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
}

func TestSchedulerHeedsAffinity(t *testing.T) {
	c := cluster.Shared(t)
	c.SetNodes(t, mixedNodes()...)
	namespace := c.Namespace(t)
	c.Apply(t, namespace, pod("wants-arm64", "arm64")+"---\n"+pod("wants-s390x", "s390x")+"---\n"+pod("wants-riscv64", "riscv64"))

	if node, refused := c.Scheduled(t, namespace, "wants-arm64"); node != "arm" {
		t.Errorf("wants-arm64 is on %q, want arm; %s", node, refused)
	}
	for _, pod := range []string{"wants-s390x", "wants-riscv64"} {
		if node, refused := c.Scheduled(t, namespace, pod); !strings.Contains(refused, "0/5 nodes are available") {
			t.Errorf("%s is on %q, want it refused; %s", pod, node, refused)
		}
	}
}

func pod(name, arch string) string {
	return `apiVersion: v1
kind: Pod
metadata:
  name: ` + name + `
spec:
  containers:
  - name: app
    image: registry.example/app
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
        - matchExpressions:
          - {key: kubernetes.io/os, operator: In, values: [linux]}
          - {key: kubernetes.io/arch, operator: In, values: [` + arch + `]}
`
}

func TestRestrictedUser(t *testing.T) {
	c := cluster.Shared(t)
	c.SetNodes(t, cluster.Node("amd", "linux", "amd64"))
	list := func(kubeconfig string) error {
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			t.Fatal(err)
		}
		_, err = kubernetes.NewForConfigOrDie(config).CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		return err
	}
	reader := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get", "list"}}
	if err := list(c.User(t, "reader", reader)); err != nil {
		t.Errorf("a user that may list nodes: %v", err)
	}
	if err := list(c.User(t, "nobody")); !apierrors.IsForbidden(err) {
		t.Errorf("a user that may do nothing: got %v, want a 403", err)
	}
}

func TestApplyWaitsForKind(t *testing.T) {
	c := cluster.Shared(t)
	c.Apply(t, "default", `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.e2e.polyarch.dev
spec:
  group: e2e.polyarch.dev
  names: {plural: things, singular: thing, kind: Thing, listKind: ThingList}
  scope: Cluster
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
# no document
---
apiVersion: e2e.polyarch.dev/v1
kind: Thing
metadata:
  name: one
`)
}

func TestFilledNodeIsAsLargeAsARealOne(t *testing.T) {
	b, err := json.Marshal(cluster.Fill(cluster.Node("ip-10-0-0-1.eu-west-1.compute.internal", "linux", "arm64")))
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < 14_000 || len(b) > 18_000 {
		t.Errorf("%d bytes of JSON, want about 16,000", len(b))
	}
}
