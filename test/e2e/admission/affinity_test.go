package admission

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"sigs.k8s.io/yaml"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// allows is the scheduler's word on names and labels.
func allows(t testing.TB, s corev1.PodSpec, all []*corev1.Node) []bool {
	t.Helper()
	required := nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: s})
	out := make([]bool, len(all))
	for i, n := range all {
		out[i], _ = required.Match(n) // a term that cannot be parsed matches nothing
	}
	return out
}

// common returns the platforms that known images have in common, and whether one is known.
func common(used []image) (all []string, known bool) {
	for _, i := range used {
		switch {
		case i.platforms == "":
		case !known:
			all, known = strings.Split(i.platforms, ","), true
		default:
			all = slices.DeleteFunc(all, func(p string) bool { return !slices.Contains(strings.Split(i.platforms, ","), p) })
		}
	}
	return all, known
}

// binary runs inject-affinity on objects; what it refuses is by name, with its words.
func binary(t *testing.T, program string, objects []runtime.Object, args ...string) (done map[string][]byte, refused map[string]string) {
	t.Helper()
	done, refused = map[string][]byte{}, map[string]string{}
	for batch := range slices.Chunk(objects, 100) { // as many problems as it shows
		for {
			var in, out, errs bytes.Buffer
			for _, o := range batch {
				b, err := json.Marshal(o)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&in, "---\n%s\n", b)
			}
			cmd := exec.Command(program, append([]string{"--offline", "--on-unknown=skip", "--quiet"}, args...)...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &errs
			if err := cmd.Run(); err == nil {
				for doc := range strings.SplitSeq(out.String(), "---\n") {
					if doc = strings.TrimSpace(doc); doc != "" {
						var m metav1.PartialObjectMetadata
						if err := json.Unmarshal([]byte(doc), &m); err != nil {
							t.Fatalf("%v in %s", err, doc)
						}
						done[m.Name] = []byte(doc)
					}
				}
				break
			}
			before := len(refused)
			for _, m := range problem.FindAllStringSubmatch(errs.String(), -1) {
				refused[m[1]] = m[2]
			}
			if len(refused) == before {
				t.Fatalf("inject-affinity fails: %s", errs.String())
			}
			batch = slices.DeleteFunc(slices.Clone(batch), func(o runtime.Object) bool {
				_, gone := refused[o.(metav1.Object).GetName()]
				return gone
			})
		}
	}
	return done, refused
}

var problem = regexp.MustCompile(`error: reading standard input: \w+ (p\d+): (?:line \d+: )?(.*)`)

func fast(t testing.TB, c *cluster.ControlPlane) kubernetes.Interface {
	t.Helper()
	config := rest.CopyConfig(c.Config)
	config.ContentType, config.WarningHandler = runtime.ContentTypeProtobuf, rest.NoWarnings{}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestTheLaw comes first, before the companion is there and takes its time. It
// makes 10,000 random Pods through the policy and through the binary:
// the same terms, the same nodes by the scheduler's own code, and nothing left
// for a second admission.
func TestTheLaw(t *testing.T) {
	count := 10_000
	if nightly() {
		count *= 5
	}
	c := lab(t)
	program := tool.Ours(t, "inject-affinity")
	all := images()
	pods, used := make([]*corev1.Pod, count), make([][]image, count)
	objects := make([]runtime.Object, count)
	for i := range pods {
		pods[i], used[i] = dice{rand.New(rand.NewPCG(uint64(i), 22))}.pod(i, all)
		objects[i] = pods[i]
	}
	const taint = "--taints=kubernetes.io/arch=arm64:NoSchedule,beta.kubernetes.io/os=windows:NoExecute,kubernetes.io/arch=s390x:PreferNoSchedule,kubernetes.io/os:NoSchedule"
	done, refused := binary(t, program, objects, append(flags(all), taint)...)
	if len(done)+len(refused) != count || len(refused) > count*2/3 {
		t.Fatalf("the binary pins %d Pods and refuses %d", len(done), len(refused))
	}

	namespace := c.Namespace(t)
	c.Apply(t, namespace, written(t, program, objects, append(flags(all), taint, "--image=probe=;linux/arm64", "--image=probe:1=;linux/arm64")...))
	seen(t, c, namespace, "probe:1")
	client, nodes := fast(t, c), nodes()
	var g errgroup.Group
	g.SetLimit(8)
	for i, p := range pods {
		g.Go(func() error {
			got, err := dryRun(t.Context(), client, namespace, p)
			if err != nil {
				return fmt.Errorf("creating %s: %w", p.Name, err)
			}
			again := got
			if i%4 == 0 || nightly() { // each request runs the policy twice as it is
				if again, err = dryRun(t.Context(), client, namespace, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: p.Name}, Spec: got.Spec}); err != nil {
					return fmt.Errorf("creating %s again: %w", p.Name, err)
				}
			}
			if !equality.Semantic.DeepEqual(again.Spec.Affinity, got.Spec.Affinity) || !equality.Semantic.DeepEqual(again.Spec.Tolerations, got.Spec.Tolerations) {
				t.Errorf("%s: a second admission makes %s of %s", p.Name, pins(again.Spec), pins(got.Spec))
			}
			was, is := allows(t, p.Spec, nodes), allows(t, got.Spec, nodes)
			platforms, known := common(used[i])
			for n, node := range nodes {
				platform := node.Labels["kubernetes.io/os"] + "/" + node.Labels["kubernetes.io/arch"]
				want := was[n] && (!known || len(platforms) == 0 || p.Spec.NodeName != "" || slices.Contains(platforms, platform))
				if is[n] != want {
					t.Errorf("%s, for %s: node with %v is allowed: %t, want %t\nbefore %s %v\nafter  %s", p.Name, platforms, node.Labels, is[n], want, pins(p.Spec), p.Spec.NodeSelector, pins(got.Spec))
					break
				}
			}
			b, ok := done[p.Name]
			if !ok {
				return nil // for the companion
			}
			var by corev1.Pod
			if err := json.Unmarshal(b, &by); err != nil {
				return err
			}
			if !slices.Equal(sorted(by.Spec), sorted(got.Spec)) {
				t.Errorf("%s, for %s: the binary pins it to %s, the policy to %s", p.Name, platforms, pins(by.Spec), pins(got.Spec))
			}
			if known && !slices.Equal(tolerations(by.Spec), tolerations(got.Spec)) {
				t.Errorf("%s, for %s: the binary lets it tolerate %v, the policy %v", p.Name, platforms, tolerations(by.Spec), tolerations(got.Spec))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d Pods: %d pinned alike, %d that the binary refuses", count, len(done), len(refused))
}

func nightly() bool { return os.Getenv("POLYARCH_NIGHTLY") != "" }

// written returns what --policy makes of objects.
func written(t *testing.T, program string, objects []runtime.Object, args ...string) string {
	t.Helper()
	var in, out, errs bytes.Buffer
	for _, o := range objects {
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&in, "---\n%s\n", b)
	}
	cmd := exec.Command(program, append([]string{"--policy", "--offline", "--on-unknown=skip", "--quiet", "-"}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("inject-affinity --policy: %v\n%s", err, errs.String())
	}
	var m corev1.ConfigMap
	if err := yaml.UnmarshalStrict(out.Bytes(), &m); err != nil || m.Name != "polyarch-platforms" || len(m.Data) < 20 {
		t.Fatalf("inject-affinity --policy writes %d keys: %v", len(m.Data), err)
	}
	return out.String()
}

// tolerations are those that count: the API server's own stand for the not-ready taints.
func tolerations(s corev1.PodSpec) (all []string) {
	for _, o := range s.Tolerations {
		if !strings.HasPrefix(o.Key, "node.kubernetes.io/not-ready") && !strings.HasPrefix(o.Key, "node.kubernetes.io/unreachable") {
			all = append(all, fmt.Sprint(o.Key, " ", strings.Replace(string(o.Operator), "Equal", "", 1), " ", o.Value, " ", o.Effect))
		}
	}
	slices.Sort(all)
	return all
}

// sorted returns the terms in one order: the binary writes what it adds before what is there.
func sorted(s corev1.PodSpec) (all []string) {
	for _, t := range terms(s) {
		var rs []string
		for _, r := range slices.Concat(t.MatchExpressions, t.MatchFields) {
			rs = append(rs, fmt.Sprint(r.Key, r.Operator, r.Values))
		}
		slices.Sort(rs)
		all = append(all, fmt.Sprint(rs))
	}
	slices.Sort(all)
	return all
}
