// Command nodes measures what it costs to find the platforms of a large
// cluster: detect-arch and what else a pipeline could run, against a real API
// server with nodes as long as real ones. It prints a Markdown table.
//
//	go run -C bench ./nodes
//
// The programs take turns, so that whatever else the machine does falls on all
// of them. The server is local: bytes count for more on a network.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/polyarch/polyarch/bench/internal/turns"
	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

func main() {
	sizes := flag.String("nodes", "5000,15000", "how many nodes the cluster has, ascending")
	runs := flag.Int("runs", 5, "how often each program runs; the table has medians")
	flag.Parse()
	turns.Main("nodes", func(ctx context.Context) error { return bench(ctx, *sizes, *runs) })
}

// A contender is a way to find the platforms.
type contender struct {
	name string
	argv []string
	runs []measure
}

type measure struct {
	turns.Cost
	bytes int64
}

func bench(ctx context.Context, sizes string, runs int) error {
	c, err := cluster.Start(ctx, logf)
	if err != nil {
		return err
	}
	defer c.Stop()
	dir, err := os.MkdirTemp("", "polyarch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, kubeconfig, err := between(c.Kubeconfig, dir)
	if err != nil {
		return err
	}
	if err := installPools(ctx, c); err != nil {
		return err
	}
	measuring, contenders, err := build(ctx, dir, kubeconfig)
	if err != nil {
		return err
	}
	have := 0
	for _, s := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n <= have {
			return fmt.Errorf("flag -nodes: %q is no list of ascending numbers", sizes)
		}
		logf("creating %d nodes", n-have)
		if err := c.CreateNodes(ctx, nodes(have, n)...); err != nil {
			return err
		}
		have = n
		load := turns.LoadAverage()
		for i := range contenders {
			contenders[i].runs = nil
		}
		for r := range runs + 1 {
			for i := range contenders {
				m, err := run(ctx, p, measuring, contenders[i].argv)
				if err != nil {
					return err
				}
				if r > 0 { // the first round warms up
					contenders[i].runs = append(contenders[i].runs, m)
				}
			}
			logf("round %d of %d", r, runs)
		}
		fmt.Print(table(n, runs, load, contenders))
	}
	return nil
}

// between puts a proxy in front of the cluster and returns a kubeconfig that
// leads through it.
func between(kubeconfig, dir string) (*proxy, string, error) {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return nil, "", err
	}
	var p *proxy
	for _, c := range config.Clusters {
		u, err := url.Parse(c.Server)
		if err != nil {
			return nil, "", err
		}
		if p, err = newProxy(u.Host); err != nil {
			return nil, "", err
		}
		c.Server = "https://" + p.listener.Addr().String()
	}
	if p == nil {
		return nil, "", errors.New("the kubeconfig has no cluster")
	}
	path := filepath.Join(dir, "kubeconfig")
	return p, path, clientcmd.WriteToFile(*config, path)
}

func build(ctx context.Context, dir, kubeconfig string) (measuring string, cs []contender, err error) {
	kubectl, err := tool.Kubectl.Build(ctx, logf)
	if err != nil {
		return "", nil, err
	}
	detect, whole := filepath.Join(dir, "detect-arch"), filepath.Join(dir, "wholelist")
	if err := tool.BuildOurs(ctx, "detect-arch", detect); err != nil {
		return "", nil, err
	}
	if measuring, err = turns.Build(ctx, dir, "./wholelist"); err != nil {
		return "", nil, err
	}
	manifest := filepath.Join(dir, "deploy.yaml")
	if err := os.WriteFile(manifest, []byte(deployment), 0o600); err != nil {
		return "", nil, err
	}
	list := []string{kubectl, "--kubeconfig", kubeconfig, "get", "nodes"}
	ours := []string{detect, "--kubeconfig", kubeconfig, "--quiet"}
	return measuring, []contender{
		{name: "`kubectl get nodes -o json`", argv: slices.Concat(list, []string{"-o", "json"})},
		{name: "`kubectl get nodes -L kubernetes.io/arch`", argv: slices.Concat(list, []string{"-L", "kubernetes.io/arch"})},
		{name: "client-go, typed list", argv: []string{whole, kubeconfig}},
		{name: "`detect-arch --report`", argv: slices.Concat(ours, []string{"--report", filepath.Join(dir, "report.json")})},
		{name: "`detect-arch --for deploy.yaml`", argv: slices.Concat(ours, []string{"--for", manifest})},
		{name: "`detect-arch --node-pools`", argv: slices.Concat(ours, []string{"--node-pools"})},
		{name: "**`detect-arch`**", argv: ours},
	}, nil
}

// nodes makes the nodes from a number up to another: two of three amd64, the
// rest arm64 with the taint that GKE puts on them.
func nodes(from, to int) []*corev1.Node {
	var all []*corev1.Node
	for i := from; i < to; i++ {
		arch := "amd64"
		if i%3 == 0 {
			arch = "arm64"
		}
		n := cluster.Fill(cluster.Node(fmt.Sprintf("ip-10-%d-%d-%d.eu-west-1.compute.internal", i>>16, i>>8&255, i&255), "linux", arch))
		if i%50 == 0 {
			n.Labels["pool"] = "web"
		}
		if arch == "arm64" {
			n.Spec.Taints = []corev1.Taint{{Key: "kubernetes.io/arch", Value: arch, Effect: corev1.TaintEffectNoSchedule}}
		}
		all = append(all, n)
	}
	return all
}

func run(ctx context.Context, p *proxy, measuring string, argv []string) (measure, error) {
	before := p.bytes.Load()
	cost, err := turns.Run(ctx, measuring, argv)
	return measure{cost, p.bytes.Load() - before}, err
}

func table(n, runs int, load string, contenders []contender) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d nodes, medians of %d runs in turn, load average %s on %d cores before:\n\n", n, runs, load, runtime.NumCPU())
	b.WriteString("| | bytes received | wall | peak memory | wall, to `kubectl … -o json` |\n|---|--:|--:|--:|--:|\n")
	base := turns.Median(contenders[0].runs, func(m measure) time.Duration { return m.Wall })
	for _, c := range contenders {
		wall := turns.Median(c.runs, func(m measure) time.Duration { return m.Wall })
		fmt.Fprintf(&b, "| %s | %s | %.2f s | %.0f MB | %.3f |\n", c.name,
			mega(turns.Median(c.runs, func(m measure) int64 { return m.bytes })), wall.Seconds(),
			float64(turns.Median(c.runs, func(m measure) int64 { return m.Memory }))/1e6, wall.Seconds()/base.Seconds())
	}
	return b.String()
}

func mega(n int64) string { return fmt.Sprintf("%.2f MB", float64(n)/1e6) }

func logf(format string, args ...any) { fmt.Fprintf(os.Stderr, "nodes: "+format+"\n", args...) }
