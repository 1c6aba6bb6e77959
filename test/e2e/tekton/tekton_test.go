package tekton_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

func TestTekton(t *testing.T) {
	b := newBench(t)
	t.Run("restricted pods", func(t *testing.T) { b.in("restricted").restrictedPods(t) })
	t.Run("results of eight platforms", func(t *testing.T) { b.in("restricted").eightPlatforms(t) })
	s := b.newSource(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *source)
	}{
		{"build-multi-arch", b.buildMultiArch},
		{"build-multi-arch-git", b.buildMultiArchGit},
		{"an amd64-only image", b.amd64Only},
		{"a platform that no node has", b.platformThatNoNodeHas},
		{"build-native", b.buildNative},
		{"a leg that fails", b.failingLeg},
		{"a cancelled run", b.cancelledRun},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
		b.undeploy(t)
	}
}

// restricted has the API server refuse pods that the restricted profile forbids.
const restricted = `apiVersion: v1
kind: Namespace
metadata:
  name: restricted
  labels: {pod-security.kubernetes.io/enforce: restricted}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: detect-arch-in-restricted}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: polyarch-detect-arch}
subjects: [{kind: ServiceAccount, name: default, namespace: restricted}]
`

func (b *bench) restrictedPods(t *testing.T) {
	b.Apply(t, b.namespace, `apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: detect}
spec:
  taskRef: {name: detect-arch}
`)
	r := b.finished(t, taskRuns, "detect")
	want := map[string]any{
		"platforms": []any{"linux/amd64", "linux/arm64"}, "arches": []any{"amd64", "arm64"},
		"mixed": "true", "count": "2", "taints": []any{},
	}
	if diff := cmp.Diff(want, r.results()); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

// eightPlatforms stitches as many platforms as anyone builds for, under long names, and looks at what
// Tekton's entrypoint made of the results: one termination message, which Kubernetes cuts at 4,096
// bytes.
func (b *bench) eightPlatforms(t *testing.T) {
	repo := "a-registry-with-a-long-name/of-a-department/and-a-team/" + strings.Repeat("x", 64)
	var sources []string
	for _, arch := range []string{"386", "amd64", "arm", "arm64", "ppc64le", "riscv64", "s390x", "mips64le"} {
		source := b.Push(t, repo+":"+arch, cluster.Image{
			Arch: arch, Files: map[string]string{"/pause": tool.Build(t, tool.Pause(arch))}, Entrypoint: []string{"/pause"},
		})
		sources = append(sources, source+"=linux/"+arch)
	}
	b.Apply(t, b.namespace, fmt.Sprintf(`apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: eight}
spec:
  taskRef: {name: stitch-index}
  params:
  - {name: image, value: %q}
  - {name: tag, value: [v1]}
  - {name: insecure-registry, value: [%q]}
  - {name: sources, value: ["%s"]}
`, b.Registry+"/"+repo, b.Registry, strings.Join(sources, `", "`)))
	if r := b.finished(t, taskRuns, "eight"); r.status != "True" {
		t.Fatalf("stitching eight platforms: %s: %s", r.reason, r.message)
	}
	pod, err := b.Client.CoreV1().Pods(b.namespace).Get(t.Context(), "eight-pod", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	size := len(pod.Status.ContainerStatuses[0].State.Terminated.Message)
	t.Logf("the termination message of eight platforms has %d bytes", size)
	if size == 0 || size > 4096 {
		t.Errorf("the termination message has %d bytes, want at most 4096", size)
	}
	if got := len(b.index(t, repo+":v1").Manifests); got != 8 {
		t.Errorf("the index has %d manifests, want 8", got)
	}
}

// digest is what the registry has under a tag.
func (b *bench) digest(t *testing.T, repoTag string) string {
	t.Helper()
	ref, err := name.NewTag(b.Registry+"/"+repoTag, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	descriptor, err := remote.Head(ref, remote.WithTransport(b.Transport), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return descriptor.Digest.String()
}

// index is what the registry has under a tag.
func (b *bench) index(t *testing.T, repoTag string) *v1.IndexManifest {
	t.Helper()
	ref, err := name.NewTag(b.Registry+"/"+repoTag, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref, remote.WithTransport(b.Transport), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	return manifest
}
