package admission

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.plane != nil {
		if err := shared.plane.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.RemoveAll(shared.dir)
	os.Exit(code)
}

// A lab is an API server with the catalogue's policies, and an audit log.
var shared struct {
	sync.Once
	plane *cluster.ControlPlane
	dir   string
	audit string
	err   error
}

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  resources: [{group: "", resources: [pods]}, {group: apps}]
`

// lab returns a control plane with the mutating policy in it.
func lab(t testing.TB) *cluster.ControlPlane {
	t.Helper()
	shared.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "polyarch-admission-"); shared.err != nil {
			return
		}
		rules := filepath.Join(shared.dir, "audit.yaml")
		shared.audit = filepath.Join(shared.dir, "audit.log")
		if shared.err = os.WriteFile(rules, []byte(auditPolicy), 0o644); shared.err != nil {
			return
		}
		shared.plane, shared.err = cluster.StartWith(context.Background(), t.Logf,
			"--audit-policy-file="+rules, "--audit-log-path="+shared.audit, "--audit-log-mode=blocking")
		if shared.err == nil {
			shared.err = install(context.Background(), t.Logf, shared.plane, "-k", catalog("policy"))
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.plane
}

// whole returns it with all of catalog/admission, installed by the one command
// of docs/admission.md.
func whole(t testing.TB) *cluster.ControlPlane {
	t.Helper()
	c := lab(t)
	if err := install(t.Context(), t.Logf, c, "-k", catalog()); err != nil {
		t.Fatal(err)
	}
	n := labelled(t, c, "polyarch.dev/admission=deny")
	params(t, c, n, map[string]string{"docker.io..library..a.-.latest": "linux/amd64", "docker.io..library..b.-.latest": "linux/arm64"})
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := dryRun(ctx, c.Client, n, podOf("x", corev1.PodSpec{}, "a", "b"))
		return err != nil, nil
	})
	if err != nil {
		t.Fatalf("waiting until the companion is heeded: %v", err)
	}
	return c
}

// install applies policies and waits until they are heeded.
func install(ctx context.Context, logf func(string, ...any), c *cluster.ControlPlane, args ...string) error {
	if out, err := kubectl(ctx, logf, c, "", append([]string{"apply"}, args...)...); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return heeded(ctx, c)
}

// heeded waits until a Pod of a new namespace is pinned.
func heeded(ctx context.Context, c *cluster.ControlPlane) error {
	n, err := c.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "heeded-"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := c.ApplyDocuments(ctx, n.Name, configMap(map[string]string{"docker.io..library..x.-.latest": "linux/arm64"})); err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		p, err := dryRun(ctx, c.Client, n.Name, podOf("x", corev1.PodSpec{}, "x"))
		return err == nil && terms(p.Spec) != nil, nil
	})
}

// kubectl runs the kubectl of the server's release.
func kubectl(ctx context.Context, logf func(string, ...any), c *cluster.ControlPlane, stdin string, args ...string) (string, error) {
	path, err := tool.Kubectl.Build(ctx, logf)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	err = cmd.Run()
	return out.String(), err
}

// configMap returns the parameters of a namespace.
func configMap(data map[string]string) string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: polyarch-platforms}\ndata:\n")
	for k, v := range data {
		fmt.Fprintf(&b, "  %s: %q\n", k, v)
	}
	return b.String()
}

// params puts parameters in place and waits until the server's cache has them:
// until a Pod with the image named by the key probe is pinned.
func params(t testing.TB, c *cluster.ControlPlane, namespace string, data map[string]string) {
	t.Helper()
	probe := fmt.Sprintf("probe%d", time.Now().UnixNano())
	all := map[string]string{"docker.io..library.." + probe + ".-.latest": "linux/amd64"}
	for k, v := range data {
		all[k] = v
	}
	c.Apply(t, namespace, configMap(all))
	seen(t, c, namespace, probe)
}

func seen(t testing.TB, c *cluster.ControlPlane, namespace, probe string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		p, err := dryRun(ctx, c.Client, namespace, podOf("probe", corev1.PodSpec{}, probe))
		return err == nil && terms(p.Spec) != nil, nil
	})
	if err != nil {
		t.Fatalf("waiting until the server has the parameters of %s: %v", namespace, err)
	}
}

func dryRun(ctx context.Context, client kubernetes.Interface, namespace string, p *corev1.Pod) (*corev1.Pod, error) {
	return client.CoreV1().Pods(namespace).Create(ctx, p, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

// create makes a Pod without leaving it there.
func create(t testing.TB, c *cluster.ControlPlane, namespace string, p *corev1.Pod) *corev1.Pod {
	t.Helper()
	got, err := dryRun(t.Context(), c.Client, namespace, p)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// podOf returns a Pod with a container for each image.
func podOf(name string, spec corev1.PodSpec, images ...string) *corev1.Pod {
	for i, image := range images {
		spec.Containers = append(spec.Containers, corev1.Container{Name: fmt.Sprint("c", i), Image: image})
	}
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

func terms(s corev1.PodSpec) []corev1.NodeSelectorTerm {
	if s.Affinity == nil || s.Affinity.NodeAffinity == nil || s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	return s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
}

// pins returns what a PodSpec requires, "os=linux arch=amd64,arm64 | …".
func pins(s corev1.PodSpec) string {
	var all []string
	for _, t := range terms(s) {
		var words []string
		for _, r := range t.MatchExpressions {
			words = append(words, fmt.Sprintf("%s %s %s", strings.TrimPrefix(r.Key, "kubernetes.io/"), r.Operator, strings.Join(r.Values, ",")))
		}
		all = append(all, strings.TrimSpace(strings.Join(words, " & ")))
	}
	return strings.Join(all, " | ")
}

// message returns what the API server says against an object.
func message(err error) string {
	var status apierrors.APIStatus
	if err == nil {
		return ""
	}
	if s, ok := err.(apierrors.APIStatus); ok {
		status = s
		return status.Status().Message
	}
	return err.Error()
}

// labelled returns a namespace with a label.
func labelled(t testing.TB, c *cluster.ControlPlane, with string) string {
	t.Helper()
	n := c.Namespace(t)
	key, value, _ := strings.Cut(with, "=")
	label(t, c, n, key, value)
	return n
}
