package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// A ControlPlane is etcd, kube-apiserver and kube-scheduler: a real Kubernetes without a kubelet.
// Its nodes are objects that tests create, and a pod is bound but never runs.
type ControlPlane struct {
	Kubeconfig string // file, of an administrator
	Config     *rest.Config
	Client     kubernetes.Interface

	dir       string // everything it writes, removed with it
	server    string // URL of the API server
	pki       *pki
	thread    *thread // where its processes are started
	hyperkube string
	processes []*process
	cleaner   *cleaner
	apiserver func(context.Context) (*process, error) // starts it, and waits until it is ready
	serving   *process
}

// Start brings up a control plane of its own on free ports of the loopback interface, in about
// four seconds once its programs are built. End it with Stop; it also ends with the process. Tests
// share one instead: see Shared.
func Start(ctx context.Context, logf func(format string, args ...any)) (*ControlPlane, error) {
	return StartWith(ctx, logf)
}

// StartWith is Start with more flags for the API server.
func StartWith(ctx context.Context, logf func(format string, args ...any), flags ...string) (*ControlPlane, error) {
	hyperkube, err := tool.Hyperkube.Build(ctx, logf)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, fmt.Errorf("starting a control plane: %w", err)
	}
	c, err := newControlPlane(hostThread(), hyperkube, "127.0.0.1", ports[0])
	if err != nil {
		return nil, err
	}
	start := time.Now()
	// Without a controller manager nobody makes service accounts or takes the not-ready taint off
	// a new node, so the API server is not to ask for either.
	flags = append([]string{"--bind-address=127.0.0.1", "--advertise-address=" + documentation, "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
		"--enable-admission-plugins=PodNodeSelector,PodTolerationRestriction"}, flags...) // which heed annotations of namespaces
	err = errors.Join(c.startEtcd(ports[1], ports[2]), c.startAPIServer(ctx, ports[0], ports[1], flags...))
	if err == nil {
		err = c.startComponent("kube-scheduler", "--leader-elect=false")
	}
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	logf("the control plane is up after %s; its files are in %s", time.Since(start).Round(100*time.Millisecond), c.dir)
	return c, nil
}

// newControlPlane prepares the folder, the certificates and the clients of a control plane that
// will answer at address:port.
func newControlPlane(t *thread, hyperkube, address string, port int, hosts ...string) (c *ControlPlane, err error) {
	c = &ControlPlane{thread: t, hyperkube: hyperkube, server: "https://" + address + ":" + strconv.Itoa(port)}
	if c.dir, err = os.MkdirTemp("", "polyarch-e2e-"); err != nil {
		return nil, fmt.Errorf("starting a control plane: %w", err)
	}
	if c.cleaner, err = newCleaner(c.dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	if err := c.prepare(append(hosts, address, "localhost")); err != nil {
		return nil, errors.Join(fmt.Errorf("starting a control plane: %w", err), c.Stop())
	}
	return c, nil
}

func (c *ControlPlane) prepare(hosts []string) (err error) {
	if c.pki, err = newPKI(filepath.Join(c.dir, "pki")); err != nil {
		return err
	}
	err = errors.Join(
		c.pki.server("kube-apiserver", "kube-apiserver", nil, hosts...),
		c.pki.client("admin", "admin", "system:masters"),
		c.pki.client("kube-scheduler", "system:kube-scheduler"),
		c.pki.client("kube-controller-manager", "system:kube-controller-manager"),
	)
	if err != nil {
		return err
	}
	if c.Kubeconfig, err = c.kubeconfig("admin"); err != nil {
		return err
	}
	if c.Config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig); err != nil {
		return err
	}
	c.Config.QPS = -1 // no limit of our own
	c.Client, err = kubernetes.NewForConfig(c.Config)
	return err
}

// Stop kills the control plane and removes its files. A second call does nothing.
func (c *ControlPlane) Stop() error {
	if c.cleaner == nil {
		return nil
	}
	for _, p := range slices.Backward(c.processes) {
		p.kill()
	}
	cleaner := c.cleaner
	c.cleaner = nil
	return cleaner.clean()
}

// run starts one component, by its name in hyperkube.
func (c *ControlPlane) run(name string, args ...string) (*process, error) {
	p, err := c.thread.start(name, c.dir, exec.Command(c.hyperkube, append([]string{name}, args...)...))
	if err == nil {
		c.processes = append(c.processes, p)
	}
	return p, err
}

func (c *ControlPlane) startEtcd(clients, peers int) error {
	client, peer := "http://127.0.0.1:"+strconv.Itoa(clients), "http://127.0.0.1:"+strconv.Itoa(peers)
	_, err := c.run("etcd",
		"--name=e2e", "--data-dir="+filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=e2e="+peer,
		"--quota-backend-bytes=4294967296", "--log-level=warn")
	return err
}

// startAPIServer waits until the server is ready.
func (c *ControlPlane) startAPIServer(ctx context.Context, port, etcd int, args ...string) error {
	args = append([]string{
		"--secure-port=" + strconv.Itoa(port),
		"--etcd-servers=http://127.0.0.1:" + strconv.Itoa(etcd),
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--service-cluster-ip-range=" + serviceCIDR,
		"--client-ca-file=" + c.pki.crt("ca"),
		"--tls-cert-file=" + c.pki.crt("kube-apiserver"),
		"--tls-private-key-file=" + c.pki.private("kube-apiserver"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.pki.crt("service-account"),
		"--service-account-signing-key-file=" + c.pki.private("service-account"),
	}, args...)
	c.apiserver = func(ctx context.Context) (*process, error) {
		p, err := c.run("kube-apiserver", args...)
		if err != nil {
			return nil, err
		}
		return p, p.until(ctx, func(ctx context.Context) error {
			return c.Client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		})
	}
	var err error
	c.serving, err = c.apiserver(ctx)
	return err
}

// RestartAPIServer kills the API server and starts it again, with what etcd has.
func (c *ControlPlane) RestartAPIServer(ctx context.Context) (err error) {
	c.serving.kill()
	c.serving, err = c.apiserver(ctx)
	return err
}

// startComponent starts a client of the API server that serves nothing itself.
func (c *ControlPlane) startComponent(name string, args ...string) error {
	kubeconfig, err := c.kubeconfig(name)
	if err != nil {
		return err
	}
	_, err = c.run(name, append([]string{"--kubeconfig=" + kubeconfig, "--secure-port=0"}, args...)...)
	return err
}

// StartControllers starts the controllers of workloads, which make Pods of them.
func (c *ControlPlane) StartControllers() error {
	return c.startComponent("kube-controller-manager", "--leader-elect=false", "--use-service-account-credentials=true", "--kube-api-qps=1000", "--kube-api-burst=1000",
		"--controllers=deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller,job-controller,cronjob-controller,garbage-collector-controller")
}

const (
	serviceCIDR = "10.96.0.0/16"
	// The server refuses to advertise a loopback address, and looks for another if it is given
	// none. Nobody asks for this one (RFC 5737).
	documentation = "192.0.2.1"
)
