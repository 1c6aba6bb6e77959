// Command admission measures what catalog/admission costs the API server: the
// time to create a Pod with the policies and without, by the images in the
// namespace's ConfigMap, and a burst of Pods and a rollout of Deployments,
// which must not lose one. It prints Markdown tables.
//
//	go run -C bench ./admission
//
// Real API servers of one release, one for each set of policies, take turns
// with each Pod, so that whatever else the machine does falls on all of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/polyarch/polyarch/bench/internal/turns"
	"github.com/polyarch/polyarch/test/e2e/cluster"
)

func main() {
	runs := flag.Int("runs", 1000, "how many Pods of each shape are created one after the other")
	burst := flag.Int("burst", 1000, "how many Pods are created at once")
	rollout := flag.Int("rollout", 200, "how many Deployments are rolled out at once")
	flag.Parse()
	turns.Main("admission", func(ctx context.Context) error { return bench(ctx, *runs, *burst, *rollout) })
}

func logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// A contender is a namespace of an API server.
type contender struct {
	name      string
	plane     *cluster.ControlPlane
	client    kubernetes.Interface
	namespace string
	pinned    bool
	took      map[string][]time.Duration // by shape
}

// A shape is a Pod of so many containers with so many terms.
type shape struct {
	name              string
	containers, terms int
	part              int // of the runs
}

var shapes = []shape{{"1 container", 1, 0, 1}, {"5 containers, 3 terms", 5, 3, 1}, {"20 containers, 20 terms", 20, 20, 3}}

func bench(ctx context.Context, runs, burst, rollout int) error {
	cs, stop, err := contenders(ctx)
	defer stop()
	if err != nil {
		return err
	}
	load := turns.LoadAverage()
	for _, s := range shapes {
		for i := range runs/s.part + 20 {
			for n := range cs {
				// the one that comes first is another each time
				c := &cs[(n+i)%len(cs)]
				took, err := c.create(ctx, s, i)
				if err != nil {
					return err
				}
				if i >= 20 { // the first warm up
					c.took[s.name] = append(c.took[s.name], took)
				}
			}
		}
		logf("%s: done", s.name)
	}
	fmt.Print(table(cs, runs, load))
	var rows []string
	for _, c := range cs {
		row, err := c.storm(ctx, burst, rollout)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		rows = append(rows, row)
	}
	fmt.Printf("\n| | %d Pods at once | Pods a second | p99 | rollout of %d Deployments | failures |\n|---|--:|--:|--:|--:|--:|\n%s", burst, rollout, strings.Join(rows, ""))
	return nil
}

// pod makes a Pod for linux, on amd64 and arm64.
func pod(s shape, n int) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%dx%d-%d", s.containers, s.terms, n)}, Spec: corev1.PodSpec{SchedulerName: "nobody"}}
	for i := range s.containers {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: fmt.Sprint("c", i), Image: repository(i) + ":v1"})
	}
	var terms []corev1.NodeSelectorTerm
	for i := range s.terms {
		terms = append(terms, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "zone", Operator: "In", Values: []string{fmt.Sprint("z", i)}}, {Key: "kubernetes.io/arch", Operator: "In", Values: []string{"amd64", "arm64", "s390x"}}}})
	}
	if terms != nil {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
	}
	return p
}

// create measures one Pod.
func (c *contender) create(ctx context.Context, s shape, n int) (time.Duration, error) {
	p := pod(s, n)
	began := time.Now()
	got, err := c.client.CoreV1().Pods(c.namespace).Create(ctx, p, metav1.CreateOptions{})
	took := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.name, err)
	}
	return took, c.check(got)
}

// check makes sure that what was measured is what the policy is for.
func (c *contender) check(p *corev1.Pod) error {
	pinned := p.Spec.Affinity != nil && p.Spec.Affinity.NodeAffinity != nil && strings.Contains(p.Spec.Affinity.NodeAffinity.String(), "kubernetes.io/os")
	if pinned != c.pinned {
		return fmt.Errorf("%s: Pod %s is pinned: %t", c.name, p.Name, pinned)
	}
	return nil
}

func percentile(all []time.Duration, p int) time.Duration {
	s := slices.Sorted(slices.Values(all))
	return s[min(len(s)*p/100, len(s)-1)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }

func table(cs []contender, runs int, load string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\np50 / p99 in ms of a create, %d Pods one after the other (a third of them of the last shape), in turn, load average %s on %d cores before:\n\n|", runs, load, runtime.NumCPU())
	for _, s := range shapes {
		b.WriteString(" | " + s.name)
	}
	b.WriteString(" |\n|---" + strings.Repeat("|--:", len(shapes)) + "|\n")
	for _, c := range cs {
		b.WriteString("| " + c.name)
		for _, s := range shapes {
			p50 := percentile(c.took[s.name], 50)
			fmt.Fprintf(&b, " | %s / %s", ms(p50), ms(percentile(c.took[s.name], 99)))
			if base := percentile(cs[0].took[s.name], 50); c.name != cs[0].name {
				fmt.Fprintf(&b, " (%+.1f)", float64((p50-base).Microseconds())/1000)
			}
		}
		b.WriteString(" |\n")
	}
	return b.String()
}
