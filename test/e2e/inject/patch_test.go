package inject_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"sigs.k8s.io/yaml"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// TestPatches: a strategic merge patch replaces the node selector terms of its
// base. inject-affinity leaves it alone, and with -k pins what is built.
func TestPatches(t *testing.T) {
	program(t)
	kustomize := tool.Build(t, tool.Kustomize)
	t.Setenv("PATH", filepath.Dir(kustomize)+string(os.PathListSeparator)+os.Getenv("PATH"))
	dir := t.TempDir()
	for name, text := range map[string]string{
		"base/kustomization.yaml":    "resources: [app.yaml]\n",
		"base/app.yaml":              "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  selector: {matchLabels: {app: app}}\n  template:\n    metadata: {labels: {app: app}}\n    spec:\n      containers:\n      - name: app\n        image: app\n",
		"overlay/kustomization.yaml": "resources: [../base]\npatches:\n- path: gpu.yaml\n",
		"overlay/gpu.yaml":           "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  template:\n    spec:\n      affinity:\n        nodeAffinity:\n          requiredDuringSchedulingIgnoredDuringExecution:\n            nodeSelectorTerms:\n            - matchExpressions:\n              - {key: gpu, operator: Exists}\n      containers:\n      - name: app\n        image: app\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	argv := []string{"--offline", "--image=app=;linux/amd64"}
	wrote, errs, err := try("", "inject-affinity", append(argv, "-w", "-r", dir)...)
	if err != nil || !strings.Contains(wrote, "app.yaml") || strings.Contains(wrote, "gpu.yaml") || !strings.Contains(errs, "gpu.yaml: line 1: ") {
		t.Fatalf("%v\n%s%s", err, wrote, errs)
	}
	overlay := filepath.Join(dir, "overlay")
	plain := run(t, "", kustomize, "build", overlay)
	if got := platforms(t, plain); !slices.Equal(got, []string{"linux/amd64", "linux/arm64", "windows/amd64"}) {
		t.Errorf("kustomize keeps the terms of the base: what is built without the program may run on %q", got)
	}
	pinned := run(t, "", "inject-affinity", append(argv, "-k", overlay)...)
	if got := platforms(t, pinned); !slices.Equal(got, []string{"linux/amd64"}) {
		t.Errorf("what is built may run on %q\n%s", got, pinned)
	}
	if _, _, err := try("", "inject-affinity", append(argv, "--check", "-k", overlay)...); err == nil {
		t.Error("the check takes what is built without the program")
	}
	run(t, pinned, "inject-affinity", append(argv, "--check")...)
}

// platforms asks the scheduler's own code on which nodes with a GPU a
// Deployment may run.
func platforms(t *testing.T, manifest string) []string {
	t.Helper()
	var d struct {
		Spec struct{ Template corev1.PodTemplateSpec }
	}
	if err := yaml.Unmarshal([]byte(manifest), &d); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range []string{"linux/amd64", "linux/arm64", "windows/amd64"} {
		os, arch, _ := strings.Cut(p, "/")
		n := &corev1.Node{}
		n.Labels = map[string]string{"kubernetes.io/os": os, "kubernetes.io/arch": arch, "gpu": "a100"}
		if ok, err := nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: d.Spec.Template.Spec}).Match(n); err == nil && ok {
			out = append(out, p)
		}
	}
	return out
}
