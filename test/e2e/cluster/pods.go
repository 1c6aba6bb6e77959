package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Namespace makes a namespace for the test. Its pods are deleted when the test ends, so that they
// leave room for the next test's.
func (c *ControlPlane) Namespace(t testing.TB) string {
	t.Helper()
	n, err := c.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	t.Cleanup(func() {
		now := int64(0)
		err := c.Client.CoreV1().Pods(n.Name).DeleteCollection(context.WithoutCancel(t.Context()), metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
		if err != nil {
			t.Errorf("deleting the pods of %s: %v", n.Name, err)
		}
	})
	return n.Name
}

// Scheduled waits for the scheduler's word on a pod: the node that the pod is bound to, or its
// reason for binding it to none, such as "0/3 nodes are available: …".
func (c *ControlPlane) Scheduled(t testing.TB, namespace, pod string) (node, refused string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		p, err := c.Client.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		for _, condition := range p.Status.Conditions {
			if condition.Type == corev1.PodScheduled && condition.Reason == corev1.PodReasonUnschedulable {
				refused = condition.Message
			}
		}
		node = p.Spec.NodeName
		return node != "" || refused != "", nil
	})
	if err != nil {
		t.Fatal(fmt.Errorf("waiting for the scheduler to look at pod %s: %w", pod, err))
	}
	return node, refused
}
