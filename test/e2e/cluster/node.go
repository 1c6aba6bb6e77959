package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A machine is a node's own namespaces (network, mounts, processes, name) below one first process.
// When that is killed, the kernel ends and frees all that was in them.
type machine struct {
	name string
	dir  string // its files, outside
	ip   string
	init *process
	t    *thread
}

// newMachine makes machine n, linked to the bench's bridge, with /var/lib, /var/log and /run of its
// own.
func newMachine(t *thread, dir, pause string, n int) (*machine, error) {
	m := &machine{name: "node-" + strconv.Itoa(n), t: t, ip: fmt.Sprintf(nodeIP, 10+n)}
	m.dir = filepath.Join(dir, m.name)
	for _, sub := range []string{"lib/kubelet", "log/pods", "log/containers", "run/netns", "cni", "certs.d", "plugins"} {
		if err := os.MkdirAll(filepath.Join(m.dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("starting %s: %w", m.name, err)
		}
	}
	init := exec.Command(pause)
	init.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWNET}
	var err error
	if m.init, err = t.start(m.name, m.dir, init); err != nil {
		return nil, err
	}
	if err := t.connectNode(n, m.init.cmd.Process.Pid); err != nil {
		m.init.kill()
		return nil, err
	}
	// Mounts that a container makes below /var/lib/kubelet are to reach the kubelet, and none the
	// machine outside.
	err = m.shell(`
mount --make-rprivate / && mount --make-rshared /
mount -t proc proc /proc
hostname ` + m.name + `
for d in lib log; do mount --bind "` + m.dir + `/$d" /var/$d; done
mount --bind "` + m.dir + `/run" /run`)
	if err != nil {
		m.init.kill()
		return nil, err
	}
	return m, nil
}

// command is a command that runs in the machine.
func (m *machine) command(args ...string) *exec.Cmd {
	in := []string{"--target", strconv.Itoa(m.init.cmd.Process.Pid), "--mount", "--pid", "--net", "--uts", "--"}
	return exec.Command("nsenter", append(in, args...)...)
}

func (m *machine) shell(script string) error {
	cmd := m.command("sh", "-ec", script)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("preparing %s: %w: %s", m.name, err, out)
	}
	return nil
}

func (m *machine) start(name string, args ...string) (*process, error) {
	return m.t.start(name, m.dir, m.command(args...))
}

// write makes a file in the machine's folder and returns its path, the same inside and
// outside.
func (m *machine) write(name, content string) (string, error) {
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(content), 0o644)
}

const (
	containerdSocket = "/run/containerd/containerd.sock"
	relaxedSocket    = "/run/containerd/relaxed.sock"
)

// startContainerd starts the containerd that argv names, and waits until it answers.
func (m *machine) startContainerd(ctx context.Context, argv []string, n int) error {
	if _, err := m.write("cni/10-bench.conflist", fmt.Sprintf(cniConfig, fmt.Sprintf(podCIDR, n), m.dir)); err != nil {
		return fmt.Errorf("starting containerd: %w", err)
	}
	if _, err := m.write("certs.d/"+registryAddress+"/hosts.toml", fmt.Sprintf(hostsConfig, registryAddress)); err != nil {
		return fmt.Errorf("starting containerd: %w", err)
	}
	config, err := m.write("containerd.toml", fmt.Sprintf(containerdConfig, m.dir, containerdSocket, registryAddress+"/"+pauseImage))
	if err != nil {
		return fmt.Errorf("starting containerd: %w", err)
	}
	p, err := m.start("containerd", append(argv, "--config", config)...)
	if err != nil {
		return err
	}
	return p.until(ctx, func(context.Context) error {
		return m.command("ctr", "--connect-timeout", "1s", "version").Run()
	})
}

// startKubelet starts a kubelet that joins the cluster by the certificate of the node's name.
func (m *machine) startKubelet(c *ControlPlane, socket, cgroup string) error {
	err := c.pki.server(m.name, "system:node:"+m.name, []string{"system:nodes"}, m.name, m.ip)
	if err != nil {
		return err
	}
	kubeconfig, err := c.kubeconfig(m.name)
	if err != nil {
		return err
	}
	resolv, err := m.write("resolv.conf", "nameserver "+benchIP+"\n") // nobody answers there: names fail at once
	if err != nil {
		return fmt.Errorf("starting kubelet: %w", err)
	}
	config, err := m.write("kubelet.yaml", strings.NewReplacer(
		"{ip}", m.ip, "{ca}", c.pki.crt("ca"), "{crt}", c.pki.crt(m.name), "{key}", c.pki.private(m.name),
		"{cgroup}", cgroup, "{socket}", socket, "{resolv}", resolv, "{dir}", m.dir).Replace(kubeletConfig))
	if err != nil {
		return fmt.Errorf("starting kubelet: %w", err)
	}
	_, err = m.start("kubelet", c.hyperkube, "kubelet", "--config="+config, "--kubeconfig="+kubeconfig, "--hostname-override="+m.name, "--node-ip="+m.ip)
	return err
}
