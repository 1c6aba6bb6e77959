package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// TektonTrusts has the programs of a Tekton that is installed after it trust the
// authorities in a file of this machine, and no others.
func (c *TwoArch) TektonTrusts(authority string) { c.authority = authority }

// Mirror has the nodes take the images of a registry, "ghcr.io", from the one at
// url, over plain HTTP.
func (c *TwoArch) Mirror(t testing.TB, registry, url string) {
	t.Helper()
	for _, m := range c.nodes {
		if _, err := m.write("certs.d/"+registry+"/hosts.toml", fmt.Sprintf("server = %q\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", url, url)); err != nil {
			t.Fatal(err)
		}
	}
}

// InstallResolvers installs Tekton's remote resolvers, after Tekton itself,
// unchanged but for what InstallTekton changes and the init process tini, which the
// image here does not have.
func (c *TwoArch) InstallResolvers(t testing.TB) {
	t.Helper()
	if err := c.installResolvers(t.Context(), t.Logf); err != nil {
		t.Fatalf("installing Tekton's resolvers: %v", err)
	}
}

func (c *TwoArch) installResolvers(ctx context.Context, logf func(string, ...any)) error {
	config, version, err := tool.TektonConfig(ctx)
	if err != nil {
		return err
	}
	program, err := tool.TektonResolvers.Build(ctx, logf)
	if err != nil {
		return err
	}
	if _, err := c.push(ctx, "tekton/resolvers:"+version, c.tektonImage("resolvers", program)); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(config, "resolvers", "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("reading %s: it has no resolvers", config)
	}
	var b strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		b.WriteString("---\n" + string(text) + "\n")
	}
	documents := strings.ReplaceAll(c.tektonLocal(b.String(), version), "        - /sbin/tini\n        - --\n", "")
	if err := c.apply(ctx, "", documents); err != nil {
		return err
	}
	return c.rolledOut(ctx, "tekton-pipelines-resolvers", "tekton-pipelines-remote-resolvers")
}

// SetEnv sets variables in the containers of a deployment, and waits until its
// pods have them.
func (c *TwoArch) SetEnv(t testing.TB, namespace, deployment string, env map[string]string) {
	t.Helper()
	d, err := c.Client.AppsV1().Deployments(namespace).Get(t.Context(), deployment, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var variables []map[string]string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		variables = append(variables, map[string]string{"name": name, "value": env[name]})
	}
	var containers []map[string]any
	for _, container := range d.Spec.Template.Spec.Containers {
		containers = append(containers, map[string]any{"name": container.Name, "env": variables})
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": containers}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Client.AppsV1().Deployments(namespace).Patch(t.Context(), deployment, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.rolledOut(t.Context(), namespace, deployment); err != nil {
		t.Fatal(err)
	}
}

// rolledOut waits until all pods of a deployment are those of its newest template.
func (c *TwoArch) rolledOut(ctx context.Context, namespace, deployment string) error {
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 5*time.Minute, true, func(ctx context.Context) (bool, error) {
		d, err := c.Client.AppsV1().Deployments(namespace).Get(ctx, deployment, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		s := d.Status
		return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == *d.Spec.Replicas && s.Replicas == s.UpdatedReplicas && s.AvailableReplicas == s.UpdatedReplicas, nil
	})
	if err != nil {
		return fmt.Errorf("waiting until %s is available: %w; the logs are in %s", deployment, err, c.dir)
	}
	return nil
}
