// Package detect_test runs detect-arch against a real API server.
package detect_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// An outcome is what a run of a program ends with.
type outcome struct {
	Code        int
	Out, Errors string
}

// detect runs detect-arch with a kubeconfig.
func detect(t *testing.T, binary, kubeconfig string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"--kubeconfig", kubeconfig}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), strings.TrimSpace(out.String()), errs.String()}
}

func cordoned(n *corev1.Node) *corev1.Node {
	n.Spec.Unschedulable = true
	return n
}

func tainted(n *corev1.Node, key, value string) *corev1.Node {
	n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffectNoSchedule})
	return n
}

func unlabelled(n *corev1.Node) *corev1.Node {
	n.Labels = map[string]string{}
	return n
}

func virtual(n *corev1.Node) *corev1.Node {
	n.Labels = map[string]string{"type": "virtual-kubelet"}
	return tainted(n, "virtual-kubelet.io/provider", "azure")
}

func notReady(n *corev1.Node) *corev1.Node {
	for i, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			n.Status.Conditions[i].Status = corev1.ConditionUnknown
		}
	}
	return n
}

func several(n int, os, arch string, change func(*corev1.Node) *corev1.Node) []*corev1.Node {
	var nodes []*corev1.Node
	for i := range n {
		nodes = append(nodes, change(cluster.Node(fmt.Sprintf("%s-%s-%03d", os, arch, i), os, arch)))
	}
	return nodes
}

func same(n *corev1.Node) *corev1.Node { return n }

func TestNodes(t *testing.T) {
	c := cluster.Shared(t)
	binary := tool.Ours(t, "detect-arch")
	amd, arm := cluster.Node("amd", "linux", "amd64"), cluster.Node("arm", "linux", "arm64")
	for _, test := range []struct {
		name  string
		nodes []*corev1.Node
		args  string
		want  outcome
	}{
		{"amd64 only", []*corev1.Node{amd}, "", outcome{0, "linux/amd64", "detect-arch: e2e: 1 node on linux/amd64\n"}},
		{"arm64 only", []*corev1.Node{arm}, "", outcome{0, "linux/arm64", "detect-arch: e2e: 1 node on linux/arm64\n"}},
		{"mixed", []*corev1.Node{amd, arm}, "--quiet", outcome{0, "linux/amd64,linux/arm64", ""}},
		{"Windows", []*corev1.Node{amd, cluster.Node("w", "windows", "amd64")}, "--quiet", outcome{0, "linux/amd64,windows/amd64", ""}},
		{
			"tainted", []*corev1.Node{amd, tainted(cluster.Node("z", "linux", "s390x"), "mainframe", "")}, "",
			outcome{0, "linux/amd64", "detect-arch: e2e: 1 node on linux/amd64\ndetect-arch: e2e: left out: 1 node on linux/s390x tainted mainframe:NoSchedule (z)\n"},
		},
		{"tolerated", []*corev1.Node{amd, tainted(cluster.Node("z", "linux", "s390x"), "mainframe", "")}, "--quiet --toleration mainframe", outcome{0, "linux/amd64,linux/s390x", ""}},
		{"tainted for its architecture", []*corev1.Node{tainted(cluster.Node("g", "linux", "arm64"), "kubernetes.io/arch", "arm64")}, "--quiet --result taints=/dev/stdout", outcome{0, "kubernetes.io/arch=arm64:NoSchedulelinux/arm64", ""}},
		{
			"cordoned", []*corev1.Node{amd, cordoned(cluster.Node("c", "linux", "arm64"))}, "",
			outcome{0, "linux/amd64", "detect-arch: e2e: 1 node on linux/amd64\ndetect-arch: e2e: left out: 1 node on linux/arm64 cordoned (c)\n"},
		},
		{
			"virtual", []*corev1.Node{amd, virtual(cluster.Node("v", "linux", "arm64"))}, "",
			outcome{0, "linux/amd64", "detect-arch: e2e: 1 node on linux/amd64\ndetect-arch: e2e: left out: 1 node on linux/arm64 virtual (v)\n"},
		},
		{
			"not ready", []*corev1.Node{notReady(cluster.Node("n", "linux", "arm64"))}, "",
			outcome{0, "linux/arm64", "detect-arch: e2e: 1 node on linux/arm64\ndetect-arch: e2e: counted: 1 node on linux/arm64 not ready (n)\n"},
		},
		{"selected", []*corev1.Node{amd, arm}, "--quiet --selector kubernetes.io/hostname=arm", outcome{0, "linux/arm64", ""}},
		{
			"missing", []*corev1.Node{amd}, "--quiet --platform linux/arm64",
			outcome{3, "", "detect-arch: error: choosing platforms: no node takes the workload on linux/arm64; the nodes offer linux/amd64\n" +
				"detect-arch: hint: leave linux/arm64 out of --platform, add such nodes, or keep it with --allow-missing if the cluster emulates it\n"},
		},
		{
			"none", nil, "",
			outcome{3, "", "detect-arch: error: reading nodes of e2e: there are none\n" +
				"detect-arch: hint: --node-pools counts pools that make nodes when pods wait for them\ndetect-arch: hint: --fallback says what to print instead of failing\n"},
		},
		{
			"many", append(several(150, "linux", "amd64", same), append(several(40, "linux", "arm64", cordoned), several(3, "linux", "riscv64", unlabelled)...)...), "",
			outcome{0, "linux/amd64,linux/riscv64", "detect-arch: e2e: by their labels, 150 nodes on linux/amd64, 3 nodes on linux/riscv64\n" +
				"detect-arch: e2e: left out: 40 nodes on linux/arm64 cordoned (for example linux-arm64-000)\n" +
				"detect-arch: e2e: counted: 3 nodes on linux/riscv64 without the labels kubernetes.io/os and kubernetes.io/arch, so that affinity finds none of them (for example linux-riscv64-000)\n"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.SetNodes(t, test.nodes...)
			if d := cmp.Diff(test.want, detect(t, binary, c.Kubeconfig, strings.Fields(test.args)...)); d != "" {
				t.Error(d)
			}
		})
	}
}

// kubectl's output of the same nodes yields the same platforms.
func TestFromKubectl(t *testing.T) {
	c := cluster.Shared(t)
	binary := tool.Ours(t, "detect-arch")
	c.SetNodes(t, cluster.Node("a", "linux", "amd64"), cordoned(cluster.Node("b", "linux", "arm64")), notReady(cluster.Node("c", "windows", "amd64")))
	for _, format := range []string{"json", "yaml"} {
		nodes, err := exec.Command(tool.Build(t, tool.Kubectl), "--kubeconfig", c.Kubeconfig, "get", "nodes", "-o", format).Output()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(binary, "--from-file", "-", "--quiet")
		cmd.Stdin = bytes.NewReader(nodes)
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != "linux/amd64,windows/amd64\n" {
			t.Errorf("%s: %v, %s", format, err, out)
		}
	}
}

func TestRights(t *testing.T) {
	c := cluster.Shared(t)
	binary := tool.Ours(t, "detect-arch")
	c.SetNodes(t, cluster.Node("amd", "linux", "amd64"))
	least := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"list"}}
	reader, nobody := c.User(t, "detect-reader", least), c.User(t, "detect-nobody")
	if got := detect(t, binary, reader, "--quiet"); got != (outcome{0, "linux/amd64", ""}) {
		t.Errorf("%+v", got)
	}
	if got := detect(t, binary, reader, "--quiet", "--node-pools"); got != (outcome{0, "linux/amd64", ""}) {
		t.Errorf("node pools that are not there: %+v", got)
	}
	got := detect(t, binary, nobody)
	if got.Code != 4 || got.Out != "" || !strings.Contains(got.Errors, `403 Forbidden: nodes is forbidden: User "detect-nobody" cannot list resource "nodes"`) {
		t.Fatalf("%+v", got)
	}
	// What the hints say is enough.
	_, role, _ := strings.Cut(got.Errors, "an administrator allows it with this role: ")
	role, bind, _ := strings.Cut(role, "\n")
	c.Apply(t, "default", role)
	_, bind, _ = strings.Cut(bind, "kubectl ")
	kubectl := exec.Command("bash", "-c", tool.Build(t, tool.Kubectl)+" --kubeconfig "+c.Kubeconfig+" "+bind)
	if out, err := kubectl.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for try := 0; ; try++ { // the authorizer watches roles
		if got = detect(t, binary, nobody, "--quiet"); got.Code == 0 || try == 50 {
			break
		}
	}
	if got != (outcome{0, "linux/amd64", ""}) {
		t.Errorf("%+v", got)
	}
}
