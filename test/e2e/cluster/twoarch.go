package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// A TwoArch is a cluster with two real nodes, node-1 of linux/amd64 and node-2 of linux/arm64, whose
// pods run, and a registry that both pull from. It lives in network namespaces of its own: Config
// and Client reach it from here, a program does when Run starts it.
//
// What is emulated: node-2 is this machine under another name. Its containerd is an arm64 program
// that runs under qemu-user, so it chooses arm64 out of an index, and so are the programs in its
// pods. Its kubelet is native, with the architecture it reports held at arm64 by an admission policy,
// and Tekton's own programs there are amd64, which the machine runs as well. There is no DNS and no
// service address but the API server's.
type TwoArch struct {
	*ControlPlane
	Registry  string            // host:port, plain HTTP
	Transport http.RoundTripper // reaches Registry

	registry  *http.Server
	nodes     []*machine
	authority string // a file with the certificates that Tekton trusts, if any
}

// StartTwoArch starts the cluster, which ends with the test. The test fails where it cannot be had.
func StartTwoArch(t testing.TB) *TwoArch {
	t.Helper()
	c, err := StartTwo(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// StartTwo starts the cluster; both nodes are ready. End it with Stop. It needs root on linux/amd64
// and the packages of hack/install-e2e.sh.
func StartTwo(ctx context.Context, logf func(format string, args ...any)) (*TwoArch, error) {
	if runtime.GOARCH != "amd64" || os.Geteuid() != 0 {
		return nil, errors.New("starting a cluster with nodes: it needs root on linux/amd64; run make e2e there, as root")
	}
	hyperkube, err := tool.Hyperkube.Build(ctx, logf)
	if err != nil {
		return nil, err
	}
	network, err := newNetwork()
	if err != nil {
		return nil, err
	}
	plane, err := newControlPlane(network, hyperkube, benchIP, 443, serviceIP, "127.0.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if err != nil {
		network.end()
		return nil, err
	}
	c := &TwoArch{ControlPlane: plane, Registry: registryAddress}
	if err := c.start(ctx, logf); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *TwoArch) start(ctx context.Context, logf func(string, ...any)) error {
	relax, err := tool.CRIRelax.Build(ctx, logf)
	if err != nil {
		return err
	}
	arm64, err := arm64Containerd(ctx, logf)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := c.startRegistry(ctx, logf); err != nil {
		return err
	}
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	one, err := c.newNode(ctx, logf, 1)
	if err != nil {
		return err
	}
	if err := one.startContainerd(ctx, []string{"containerd"}, 1); err != nil {
		return err
	}
	if err := one.startKubelet(c.ControlPlane, containerdSocket, c.cgroup(one)); err != nil {
		return err
	}
	two, err := c.newNode(ctx, logf, 2)
	if err != nil {
		return err
	}
	if err := two.emulateArm64(filepath.Base(c.dir)); err != nil {
		return err
	}
	if err := two.startContainerd(ctx, arm64, 2); err != nil {
		return err
	}
	if _, err := two.start("crirelax", relax, relaxedSocket, containerdSocket); err != nil {
		return err
	}
	if err := two.startKubelet(c.ControlPlane, relaxedSocket, c.cgroup(two)); err != nil {
		return err
	}
	if err := c.awaitNodes(ctx); err != nil {
		return err
	}
	logf("the two-architecture cluster is up after %s; its files are in %s", time.Since(began).Round(100*time.Millisecond), c.dir)
	return nil
}

// startControlPlane starts what Start does and a controller manager, in the bench's network.
func (c *TwoArch) startControlPlane(ctx context.Context) error {
	c.Config.Dial = c.thread.dial
	var err error
	if c.Client, err = kubernetes.NewForConfig(c.Config); err != nil {
		return fmt.Errorf("starting a cluster: %w", err)
	}
	if err := c.pki.client("kube-apiserver-kubelet", "kube-apiserver-kubelet", "system:masters"); err != nil {
		return err
	}
	if err := c.startEtcd(2379, 2380); err != nil {
		return err
	}
	err = c.startAPIServer(ctx, 443, 2379,
		"--bind-address=0.0.0.0", "--advertise-address="+benchIP,
		"--enable-admission-plugins=NodeRestriction",
		"--enable-aggregator-routing=true", // webhooks are reached at their pods' addresses
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-certificate-authority="+c.pki.crt("ca"),
		"--kubelet-client-certificate="+c.pki.crt("kube-apiserver-kubelet"),
		"--kubelet-client-key="+c.pki.private("kube-apiserver-kubelet"))
	if err != nil {
		return err
	}
	err = c.startComponent("kube-controller-manager", "--leader-elect=false", "--use-service-account-credentials=true",
		"--service-account-private-key-file="+c.pki.private("service-account"), "--root-ca-file="+c.pki.crt("ca"))
	if err != nil {
		return err
	}
	if err := c.startComponent("kube-scheduler", "--leader-elect=false"); err != nil {
		return err
	}
	return c.apply(ctx, "", holdArm64)
}

// newNode makes machine n with a cgroup for its pods.
func (c *TwoArch) newNode(ctx context.Context, logf func(string, ...any), n int) (*machine, error) {
	pause, err := tool.Pause("amd64").Build(ctx, logf)
	if err != nil {
		return nil, err
	}
	m, err := newMachine(c.thread, c.dir, pause, n)
	if err != nil {
		return nil, err
	}
	c.nodes = append(c.nodes, m)
	return m, makeCgroups(c.cgroup(m))
}

// cgroup is the name that the cleaner looks for.
func (c *TwoArch) cgroup(m *machine) string { return filepath.Base(c.dir) + "-" + m.name }

func (c *TwoArch) awaitNodes(ctx context.Context) error {
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		nodes, err := c.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		ready := 0
		for _, n := range nodes.Items {
			for _, condition := range n.Status.Conditions {
				if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
					ready++
				}
			}
		}
		return ready == len(c.nodes), nil
	})
	if err != nil {
		return fmt.Errorf("waiting until both nodes are ready: %w; the logs are in %s", err, c.dir)
	}
	return nil
}

// Run runs a program in the cluster's network, as os/exec does.
func (c *TwoArch) Run(cmd *exec.Cmd) error {
	if err := c.thread.do(cmd.Start); err != nil {
		return err
	}
	return cmd.Wait()
}

// Stop ends the cluster and takes back everything it has made. A second call does nothing.
func (c *TwoArch) Stop() error {
	if c.cleaner == nil {
		return nil
	}
	for _, m := range c.nodes {
		m.init.kill()
	}
	if c.registry != nil {
		c.registry.Close()
	}
	err := c.ControlPlane.Stop()
	c.thread.end()
	return err
}

// Namespace makes a namespace for the test, with the service account that its pods run as.
func (c *TwoArch) Namespace(t testing.TB) string {
	t.Helper()
	namespace := c.ControlPlane.Namespace(t)
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := c.Client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
	if err != nil {
		t.Fatalf("waiting for the default service account of %s: %v", namespace, err)
	}
	return namespace
}
