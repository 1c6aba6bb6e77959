package cluster

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The addresses of a bench. They exist only in its own network namespaces, so two benches can run
// side by side.
const (
	benchIP     = "10.99.0.1"     // of the bridge: API server and registry
	serviceIP   = "10.96.0.1"     // the first of serviceCIDR: in-cluster clients find the API server here
	nodeIP      = "10.99.0.%d"    // of node N: 10 + N
	podCIDR     = "10.98.%d.0/24" // of node N
	benchBridge = "bench0"
)

// newNetwork makes a network namespace with a bridge in it. It lives as long as the thread or a
// process started from it; nothing names it. No packet leaves it.
func newNetwork() (*thread, error) {
	t := newThread()
	if err := t.do(func() error { return unix.Unshare(unix.CLONE_NEWNET) }); err != nil {
		t.end()
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	commands := []string{
		"ip link set lo up",
		"ip link add " + benchBridge + " type bridge",
		"ip addr add " + benchIP + "/24 dev " + benchBridge,
		"ip addr add " + serviceIP + "/32 dev " + benchBridge,
		"ip link set " + benchBridge + " up",
		"sysctl -qw net.ipv4.ip_forward=1",
	}
	for n := 1; n <= 2; n++ {
		commands = append(commands, fmt.Sprintf("ip route add "+podCIDR+" via "+nodeIP, n, 10+n))
	}
	for _, command := range commands {
		if err := t.run(command); err != nil {
			t.end()
			return nil, err
		}
	}
	return t, nil
}

// connectNode returns node n, whose first process is pid, its end of a cable to the bridge.
func (t *thread) connectNode(n, pid int) error {
	inside := "nsenter --net=/proc/" + strconv.Itoa(pid) + "/ns/net "
	cable := "node" + strconv.Itoa(n)
	for _, command := range []string{
		"ip link add " + cable + " type veth peer name eth0 netns " + strconv.Itoa(pid),
		"ip link set " + cable + " master " + benchBridge + " up",
		inside + "ip link set lo up",
		inside + fmt.Sprintf("ip addr add "+nodeIP+"/24 dev eth0", 10+n),
		inside + "ip link set eth0 up",
		inside + "ip route add default via " + benchIP,
		inside + "sysctl -qw net.ipv4.ip_forward=1",
	} {
		if err := t.run(command); err != nil {
			return err
		}
	}
	return nil
}

// run runs a command of plain words from the thread.
func (t *thread) run(command string) error {
	words := strings.Fields(command)
	return t.do(func() error {
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("running %s: %w: %s", command, err, out)
		}
		return nil
	})
}

// dial connects from the thread's network namespace.
func (t *thread) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = t.do(func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// listen listens in the thread's network namespace.
func (t *thread) listen(address string) (l net.Listener, err error) {
	err = t.do(func() error {
		l, err = net.Listen("tcp", address)
		return err
	})
	return l, err
}

// Listen listens in the cluster's network, at Host for its pods.
func (c *TwoArch) Listen(t testing.TB, port string) net.Listener {
	t.Helper()
	l, err := c.thread.listen(":" + port)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Host is this process as the cluster's pods see it.
const Host = benchIP
