package inject_test

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"

	"github.com/polyarch/polyarch/test/e2e/cluster"
)

// registryWithHello serves an image hello:v1 for linux/amd64 and linux/arm64.
func registryWithHello(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "http://")
	var adds []mutate.IndexAddendum
	for _, arch := range []string{"amd64", "arm64"} {
		adds = append(adds, mutate.IndexAddendum{Add: empty.Image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	ref, err := name.ParseReference(host+"/hello:v1", name.Insecure)
	if err == nil {
		err = remote.WriteIndex(ref, mutate.AppendManifests(empty.Index, adds...))
	}
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// A wish is a Pod's own rules, and the platforms of its image.
type wish struct{ name, rules, platforms string }

var wishes = []wish{
	{"plain", "", "linux/amd64"},
	{"many", "", "linux/amd64,linux/arm64,windows/amd64"},
	{"variants", "", "linux/arm/v6,linux/arm/v7,linux/s390x"},
	{"selector", "nodeSelector: {kubernetes.io/os: linux}", "linux/amd64,windows/amd64"},
	{"former", "nodeSelector: {beta.kubernetes.io/arch: arm64}", "linux/amd64,linux/arm64"},
	{"terms", affinity("{matchExpressions: [{key: zone, operator: In, values: [a]}]}", "{matchExpressions: [{key: kubernetes.io/arch, operator: In, values: [s390x, arm64]}]}"), "linux/arm64,linux/riscv64"},
	{"fields", affinity("{matchFields: [{key: metadata.name, operator: In, values: [linux-amd64]}]}", "{}", "{matchExpressions: [{key: gpus, operator: Gt, values: ['3']}]}"), "linux/amd64,windows/amd64"},
	{"not", affinity("{matchExpressions: [{key: kubernetes.io/arch, operator: NotIn, values: [amd64]}, {key: zone, operator: DoesNotExist}]}"), "linux/amd64,linux/arm64,linux/ppc64le"},
	{"tolerant", "tolerations: [{operator: Exists}]", "linux/amd64,linux/arm64"},
}

func affinity(terms ...string) string {
	return "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [" + strings.Join(terms, ", ") + "]}}}"
}

// TestTheSchedulerHeedsTheLaw puts each wish to each node, before and after: the real scheduler must
// bind a Pod after if it did before and the node's platform is one of the image's.
func TestTheSchedulerHeedsTheLaw(t *testing.T) {
	program(t)
	c := cluster.Shared(t)
	var nodes []*corev1.Node
	for i, p := range []string{"linux/amd64", "linux/arm64", "linux/arm", "linux/s390x", "linux/ppc64le", "linux/riscv64", "windows/amd64", "windows/arm64"} {
		os, arch, _ := strings.Cut(p, "/")
		n := cluster.Node(os+"-"+arch, os, arch)
		if i%2 == 0 {
			n.Labels["zone"] = "a"
			n.Labels["gpus"] = "4"
		}
		if i%3 == 0 {
			delete(n.Labels, "beta.kubernetes.io/arch")
		}
		nodes = append(nodes, n)
	}
	tainted := cluster.Node("tainted-arm64", "linux", "arm64")
	tainted.Spec.Taints = []corev1.Taint{{Key: "kubernetes.io/arch", Value: "arm64", Effect: "NoSchedule"}}
	nameless := cluster.Node("nameless", "linux", "amd64")
	for _, label := range []string{"kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch"} {
		delete(nameless.Labels, label)
	}
	nodes = append(nodes, tainted, nameless)
	c.SetNodes(t, nodes...)
	before, after := c.Namespace(t), c.Namespace(t)
	for _, w := range wishes {
		var pods strings.Builder
		for _, n := range nodes {
			pods.WriteString(podOn(w, n.Name))
		}
		c.Apply(t, before, pods.String())
		c.Apply(t, after, run(t, pods.String(), "inject-affinity", "--offline", "--quiet", "--image=app=registry.example/app:v1;"+w.platforms))
	}
	allowed := 0
	for _, w := range wishes {
		for _, n := range nodes {
			name := w.name + "-" + n.Name
			was, _ := c.Scheduled(t, before, name)
			is, refused := c.Scheduled(t, after, name)
			platform := n.Labels["kubernetes.io/os"] + "/" + n.Labels["kubernetes.io/arch"]
			want := was != "" && has(w.platforms, platform)
			if (is != "") != want {
				t.Errorf("%s on %s (%s): bound before: %t, after: %t, want %t; %s", w.name, n.Name, platform, was != "", is != "", want, refused)
			}
			if want {
				allowed++
			}
		}
	}
	if allowed < len(wishes) {
		t.Errorf("only %d Pods were bound", allowed)
	}

	// A toleration lets a Pod onto the tainted node that its image can run on.
	for platforms, want := range map[string]string{"linux/arm64": "tainted-arm64", "linux/amd64": ""} {
		name := "tolerating-" + strings.TrimPrefix(platforms, "linux/")
		w := wish{name, "", platforms}
		c.Apply(t, after, run(t, podOn(w, "tainted-arm64"), "inject-affinity", "--offline", "--quiet", "--taints=kubernetes.io/arch=arm64:NoSchedule", "--image=app=registry.example/app:v1;"+platforms))
		if node, refused := c.Scheduled(t, after, name+"-tainted-arm64"); node != want {
			t.Errorf("%s is on %q, want %q; %s", name, node, want, refused)
		}
	}
}

// podOn returns a Pod with the wish's rules that could only run on one node.
func podOn(w wish, node string) string {
	rules := w.rules
	if s, ok := strings.CutPrefix(rules, "nodeSelector: {"); ok {
		rules = "nodeSelector: {kubernetes.io/hostname: " + node + ", " + s
	} else {
		rules = "nodeSelector: {kubernetes.io/hostname: " + node + "}\n  " + rules
	}
	return fmt.Sprintf("---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: %s-%s\nspec:\n  %s\n  containers:\n  - name: app\n    image: app\n", w.name, node, rules)
}

// has compares as nodes do, whose labels have no variant.
func has(platforms, node string) bool {
	for p := range strings.SplitSeq(platforms, ",") {
		if p == node || strings.HasPrefix(p, node+"/") {
			return true
		}
	}
	return false
}
