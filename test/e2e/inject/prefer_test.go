package inject_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/polyarch/polyarch/test/e2e/cluster"
)

// TestPreferOnTheScheduler: a preferred platform is taken first, and the other
// one where it is full.
func TestPreferOnTheScheduler(t *testing.T) {
	program(t)
	c := cluster.Shared(t)
	arm64, amd64 := cluster.Node("preferred-arm64", "linux", "arm64"), cluster.Node("other-amd64", "linux", "amd64")
	arm64.Status.Allocatable[corev1.ResourcePods] = resource.MustParse("1")
	arm64.Status.Capacity[corev1.ResourcePods] = resource.MustParse("1")
	c.SetNodes(t, arm64, amd64)
	namespace := c.Namespace(t)
	apply(t, c, namespace, "first", "preferred-arm64")
	apply(t, c, namespace, "second", "other-amd64")
}

func apply(t *testing.T, c *cluster.ControlPlane, namespace, name, want string) {
	t.Helper()
	pod := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\nspec:\n  containers:\n  - name: app\n    image: app\n"
	c.Apply(t, namespace, run(t, pod, "inject-affinity", "--offline", "--quiet", "--image=app=registry.example/app:v1;linux/amd64,linux/arm64", "--prefer=linux/arm64=80"))
	if node, refused := c.Scheduled(t, namespace, name); node != want {
		t.Errorf("%s is on %q, want %q; %s", name, node, want, refused)
	}
}
