package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

func repository(n int) string { return fmt.Sprintf("ghcr.io/acme/team-%02d/service-%04d", n%16, n) }

// contenders starts an API server for each set of policies.
func contenders(ctx context.Context) (cs []contender, stop func(), err error) {
	var planes []*cluster.ControlPlane
	dir, err := os.MkdirTemp("", "polyarch-bench-")
	stop = func() {
		for _, p := range planes {
			p.Stop()
		}
		os.RemoveAll(dir)
	}
	if err != nil {
		return nil, stop, err
	}
	inject := filepath.Join(dir, "inject-affinity")
	if err := tool.BuildOurs(ctx, "inject-affinity", inject); err != nil {
		return nil, stop, err
	}
	start := func(name, policies string, sizes ...int) error {
		c, err := cluster.Start(ctx, logf)
		if err != nil {
			return err
		}
		planes = append(planes, c)
		if err := errors.Join(install(ctx, c, policies), c.StartControllers()); err != nil {
			return err
		}
		for _, images := range sizes {
			one := contender{name: name, plane: c, pinned: images > 0, took: map[string][]time.Duration{}}
			if images > 0 {
				one.name = fmt.Sprintf("%s, %d images", name, images)
			}
			if err := one.prepare(ctx, inject, dir, images); err != nil {
				return fmt.Errorf("%s: %w", one.name, err)
			}
			cs = append(cs, one)
		}
		return nil
	}
	err = errors.Join(start("no policy", "", 0), start("policy", "policy", 40, 2000), start("policy and companion", ".", 40, 2000))
	return cs, stop, err
}

func install(ctx context.Context, c *cluster.ControlPlane, policies string) error {
	if policies == "" {
		return nil
	}
	kubectl, err := tool.Kubectl.Build(ctx, logf)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, kubectl, "--kubeconfig", c.Kubeconfig, "apply", "-k", filepath.Join(tool.ToolsDir(), "..", "..", "..", "catalog", "admission", policies))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("installing: %w\n%s", err, out)
	}
	return nil
}

// prepare makes the namespace, and the ConfigMap as inject-affinity writes it.
func (c *contender) prepare(ctx context.Context, inject, dir string, images int) error {
	config := rest.CopyConfig(c.plane.Config)
	config.ContentType, config.WarningHandler = runtime.ContentTypeProtobuf, rest.NoWarnings{}
	var err error
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	n, err := c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"}}, metav1.CreateOptions{})
	if err != nil || images == 0 {
		c.namespace = n.Name
		return err
	}
	c.namespace = n.Name
	type build struct {
		Name      string   `json:"imageName"`
		Tag       string   `json:"tag"`
		Platforms []string `json:"platforms"`
	}
	var artifacts struct {
		Builds []build `json:"builds"`
	}
	for i := range images {
		artifacts.Builds = append(artifacts.Builds, build{repository(i), fmt.Sprintf("%s:v1@sha256:%064x", repository(i), i), []string{"linux/amd64", "linux/arm64"}})
	}
	b, err := json.Marshal(artifacts)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, fmt.Sprintf("artifacts-%d.json", images))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, inject, "--policy", "--quiet", "--artifacts", path).Output()
	if err != nil {
		return err
	}
	if err := c.plane.ApplyDocuments(ctx, c.namespace, string(out)); err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		p, err := c.client.CoreV1().Pods(c.namespace).Create(ctx, pod(shapes[0], 0), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && c.check(p) == nil, nil
	})
}
