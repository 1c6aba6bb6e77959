package cluster

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Node makes a node as a kubelet would register it: labelled, ready, with room for pods. Change it
// as needed before SetNodes.
func Node(name, os, arch string) *corev1.Node {
	room := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("16"),
		corev1.ResourceMemory:           resource.MustParse("64Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
		corev1.ResourcePods:             resource.MustParse("110"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelOSStable:    os,
			corev1.LabelArchStable:  arch,
			"beta.kubernetes.io/os": os, "beta.kubernetes.io/arch": arch,
			corev1.LabelHostname: name,
		}},
		Status: corev1.NodeStatus{
			Capacity: room, Allocatable: room,
			Conditions: []corev1.NodeCondition{
				condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory"),
				condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure"),
				condition(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID"),
				condition(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady"),
			},
			NodeInfo: corev1.NodeSystemInfo{
				OperatingSystem: os, Architecture: arch, OSImage: "Fake", KernelVersion: "6.1.0",
				KubeletVersion: "v1.36.3", ContainerRuntimeVersion: "containerd://2.1.0",
			},
		},
	}
}

func condition(kind corev1.NodeConditionType, status corev1.ConditionStatus, reason string) corev1.NodeCondition {
	return corev1.NodeCondition{Type: kind, Status: status, Reason: reason, Message: reason, LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()}
}

// Fill makes n as large as the nodes of a busy cluster: a kubelet reports the 50 largest images,
// which makes about 17 KB of JSON.
func Fill(n *corev1.Node) *corev1.Node {
	for i := range 50 {
		repo := fmt.Sprintf("123456789012.dkr.ecr.eu-west-1.amazonaws.com/platform/team-%02d/service-%02d", i%7, i)
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{
			Names:     []string{fmt.Sprintf("%s@sha256:%x", repo, sha256.Sum256([]byte(repo+n.Name))), fmt.Sprintf("%s:v1.%d", repo, i)},
			SizeBytes: int64(100_000_000 + 1_000_003*i),
		})
	}
	return n
}

// SetNodes makes these the nodes of the cluster until the test ends.
func (c *ControlPlane) SetNodes(t testing.TB, nodes ...*corev1.Node) {
	t.Helper()
	t.Cleanup(func() {
		if err := c.DeleteNodes(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if err := c.CreateNodes(t.Context(), nodes...); err != nil {
		t.Fatal(err)
	}
}

// CreateNodes creates nodes, some 300 a second.
func (c *ControlPlane) CreateNodes(ctx context.Context, nodes ...*corev1.Node) error {
	config := rest.CopyConfig(c.Config)
	config.ContentType = runtime.ContentTypeProtobuf
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("creating nodes: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, n := range nodes {
		g.Go(func() error {
			if _, err := client.CoreV1().Nodes().Create(ctx, n, metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("creating node %s: %w", n.Name, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// DeleteNodes deletes all nodes.
func (c *ControlPlane) DeleteNodes(ctx context.Context) error {
	if err := c.Client.CoreV1().Nodes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("deleting nodes: %w", err)
	}
	return nil
}
