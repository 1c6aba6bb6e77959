package detect_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// A workload is the spec of a Pod; namespace holds annotations of the one it is in.
type workload struct{ spec, namespace string }

func asks(requests string) workload {
	return workload{spec: "containers: [{name: app, image: registry.example/app, resources: {requests: " + requests + "}}]"}
}

// terms makes a workload of the terms of its required node affinity.
func terms(all ...string) workload {
	return rules("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [" + strings.Join(all, ", ") + "]}}}")
}

func rules(s string) workload {
	return workload{spec: s + "\n  containers: [{name: app, image: registry.example/app}]"}
}

func expressions(all ...string) string {
	return "{matchExpressions: [" + strings.Join(all, ", ") + "]}"
}

const volumes = "volumes: [{name: data, persistentVolumeClaim: {claimName: CLAIM}}]"

// workloads are asked about, and put to the scheduler.
var workloads = map[string]workload{
	"plain":                       rules(""),
	"selector":                    rules("nodeSelector: {pool: web}"),
	"selector of two":             rules("nodeSelector: {pool: web, zone: a}"),
	"selector of nothing":         rules("nodeSelector: {pool: none}"),
	"selector of the arch":        rules("nodeSelector: {kubernetes.io/arch: arm64}"),
	"selector of the former arch": rules("nodeSelector: {beta.kubernetes.io/arch: amd64}"),
	"selector of Windows":         rules("nodeSelector: {kubernetes.io/os: windows}"),
	"empty value":                 rules(`nodeSelector: {empty: ""}`),

	"in":                      terms(expressions("{key: zone, operator: In, values: [a, c]}")),
	"not in":                  terms(expressions("{key: zone, operator: NotIn, values: [a]}")),
	"not in what is missing":  terms(expressions("{key: pool, operator: NotIn, values: [web]}")),
	"exists":                  terms(expressions("{key: pool, operator: Exists}")),
	"does not exist":          terms(expressions("{key: pool, operator: DoesNotExist}")),
	"greater":                 terms(expressions("{key: generation, operator: Gt, values: ['4']}")),
	"less":                    terms(expressions("{key: generation, operator: Lt, values: ['5']}")),
	"greater than a word":     terms(expressions("{key: zone, operator: Gt, values: ['1']}")),
	"two expressions":         terms(expressions("{key: zone, operator: In, values: [a, b]}", "{key: kubernetes.io/arch, operator: NotIn, values: [s390x]}")),
	"contradicting":           terms(expressions("{key: zone, operator: In, values: [a]}", "{key: zone, operator: In, values: [b]}")),
	"two terms":               terms(expressions("{key: zone, operator: In, values: [c]}"), expressions("{key: pool, operator: In, values: [web]}")),
	"an empty term":           terms("{}", expressions("{key: zone, operator: In, values: [b]}")),
	"nothing but an empty":    terms("{}"),
	"fields":                  terms("{matchFields: [{key: metadata.name, operator: In, values: [arm-1]}]}"),
	"not in fields":           terms("{matchFields: [{key: metadata.name, operator: NotIn, values: [amd-1]}], matchExpressions: [{key: zone, operator: In, values: [a]}]}"),
	"fields or expressions":   terms("{matchFields: [{key: metadata.name, operator: In, values: [z-1]}]}", expressions("{key: kubernetes.io/os, operator: In, values: [windows]}")),
	"selector and terms":      {spec: "nodeSelector: {zone: a}\n  " + terms(expressions("{key: pool, operator: In, values: [web]}"), expressions("{key: generation, operator: Gt, values: ['6']}")).spec},
	"preferred is no rule":    rules("affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: zone, operator: In, values: [c]}]}}]}}"),
	"tolerates a key":         rules("tolerations: [{key: dedicated, operator: Exists}]"),
	"tolerates a value":       rules("tolerations: [{key: dedicated, operator: Equal, value: db}]"),
	"tolerates another value": rules("tolerations: [{key: dedicated, value: other}]"),
	"tolerates an effect":     rules("tolerations: [{key: dedicated, operator: Exists, effect: NoExecute}]"),
	"tolerates everything":    rules("tolerations: [{operator: Exists}]"),
	"tolerates cordons":       rules("tolerations: [{key: node.kubernetes.io/unschedulable, operator: Exists, effect: NoSchedule}]"),
	"tolerates an effect's":   rules("tolerations: [{operator: Exists, effect: NoExecute}]"),

	"little":               asks("{cpu: 100m, memory: 64Mi}"),
	"much memory":          asks("{memory: 100Gi}"),
	"many cores":           asks("{cpu: 32}"),
	"too many cores":       asks("{cpu: 1000}"),
	"a device":             asks("{example.com/gpu: 1}, limits: {example.com/gpu: 1}"),
	"two devices":          asks("{example.com/gpu: 2}, limits: {example.com/gpu: 2}"),
	"a device of nobody":   asks("{example.com/tpu: 1}, limits: {example.com/tpu: 1}"),
	"a limit is a request": {spec: "containers: [{name: app, image: registry.example/app, resources: {limits: {cpu: 32}}}]"},
	"large init container": {spec: "initContainers: [{name: first, image: registry.example/app, resources: {requests: {cpu: 32}}}]\n  containers: [{name: app, image: registry.example/app, resources: {requests: {cpu: 1}}}]"},
	"sum of containers":    {spec: "containers: [{name: a, image: registry.example/app, resources: {requests: {cpu: 10}}}, {name: b, image: registry.example/app, resources: {requests: {cpu: 10}}}]"},
	"sidecars add up":      {spec: "initContainers: [{name: side, image: registry.example/app, restartPolicy: Always, resources: {requests: {cpu: 10}}}]\n  containers: [{name: app, image: registry.example/app, resources: {requests: {cpu: 10}}}]"},
	"requests and rules":   {spec: "nodeSelector: {zone: b}\n  " + asks("{cpu: 32}").spec},

	"runtime class":             rules("runtimeClassName: selecting"),
	"runtime class, tolerating": rules("runtimeClassName: tolerating"),
	"runtime class, overhead":   {spec: "runtimeClassName: heavy\n  " + asks("{cpu: 10}").spec},
	"volume by affinity":        rules(strings.Replace(volumes, "CLAIM", "by-affinity", 1)),
	"volume by label":           rules(strings.Replace(volumes, "CLAIM", "by-label", 1)),
	"namespace's selector":      {rules("").spec, "scheduler.alpha.kubernetes.io/node-selector: zone=b"},
	"namespace's tolerations":   {rules("").spec, `scheduler.alpha.kubernetes.io/defaultTolerations: '[{"key":"dedicated","operator":"Exists"}]'`},
}

const runtimeClasses = `apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: selecting}
handler: runsc
scheduling: {nodeSelector: {zone: c}}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: tolerating}
handler: runsc
scheduling: {tolerations: [{key: dedicated, operator: Exists}]}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: heavy}
handler: runsc
overhead: {podFixed: {cpu: 10}}
`

// claims are bound as the volume controller would bind them.
const claims = `apiVersion: v1
kind: PersistentVolume
metadata: {name: VOLUME LABELS}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  claimRef: {namespace: NAMESPACE, name: CLAIM}
  csi: {driver: e2e.example.com, volumeHandle: x}
  AFFINITY
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: CLAIM, namespace: NAMESPACE, annotations: {pv.kubernetes.io/bind-completed: "yes"}}
spec: {volumeName: VOLUME, storageClassName: "", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
`

func schedulerNodes() []*corev1.Node {
	node := func(name, os, arch string, labels map[string]string, cores, memory string) *corev1.Node {
		n := cluster.Node(name, os, arch)
		for k, v := range labels {
			n.Labels[k] = v
		}
		n.Status.Allocatable = n.Status.Allocatable.DeepCopy()
		n.Status.Allocatable[corev1.ResourceCPU], n.Status.Allocatable[corev1.ResourceMemory] = resource.MustParse(cores), resource.MustParse(memory)
		n.Status.Capacity = n.Status.Allocatable
		return n
	}
	large := node("arm-2", "linux", "arm64", map[string]string{"zone": "b", "generation": "7", "topology.kubernetes.io/zone": "b"}, "64", "256Gi")
	device := node("amd-2", "linux", "amd64", map[string]string{"zone": "b", "generation": "5", "topology.kubernetes.io/zone": "b"}, "16", "64Gi")
	device.Status.Allocatable["example.com/gpu"] = resource.MustParse("1")
	nodes := []*corev1.Node{
		node("amd-1", "linux", "amd64", map[string]string{"zone": "a", "pool": "web", "generation": "4", "empty": "", "topology.kubernetes.io/zone": "a"}, "16", "64Gi"),
		device,
		tainted(node("arm-1", "linux", "arm64", map[string]string{"zone": "a", "generation": "6", "topology.kubernetes.io/zone": "a"}, "8", "32Gi"), "kubernetes.io/arch", "arm64"),
		large,
		tainted(node("z-1", "linux", "s390x", map[string]string{"zone": "c", "pool": "db", "topology.kubernetes.io/zone": "c"}, "64", "256Gi"), "dedicated", "db"),
		cordoned(node("p-1", "linux", "ppc64le", map[string]string{"zone": "c"}, "16", "64Gi")),
		node("w-1", "windows", "amd64", map[string]string{"zone": "b"}, "16", "64Gi"),
		node("r-1", "linux", "riscv64", map[string]string{"zone": "c", "pool": "web"}, "4", "8Gi"),
	}
	nodes[5].Spec.Taints = append(nodes[5].Spec.Taints, corev1.Taint{Key: "node.kubernetes.io/unschedulable", Effect: corev1.TaintEffectNoSchedule})
	nodes[6].Spec.Taints = append(nodes[6].Spec.Taints, corev1.Taint{Key: "node.kubernetes.io/os", Value: "windows", Effect: corev1.TaintEffectNoSchedule})
	return nodes
}

// TestForIsTheScheduler puts each workload to each node: the platforms of those
// that the real scheduler binds it to are those that --for prints. A taint on
// the platform is a result, for inject-affinity to tolerate, so the Pods do.
func TestForIsTheScheduler(t *testing.T) {
	if len(workloads) < 40 {
		t.Fatalf("%d workloads", len(workloads))
	}
	c := cluster.Shared(t)
	binary := tool.Ours(t, "detect-arch")
	nodes := schedulerNodes()
	c.SetNodes(t, nodes...)
	c.Apply(t, "", runtimeClasses)
	bound := 0
	for name, w := range workloads {
		namespace := c.Namespace(t)
		for k, v := range map[string][2]string{
			"by-affinity": {"", "nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [b]}]}]}}"},
			"by-label":    {", labels: {topology.kubernetes.io/zone: a}", ""},
		} {
			if strings.Contains(w.spec, k) {
				c.Apply(t, namespace, strings.NewReplacer("VOLUME", k+"-"+namespace, "LABELS", v[0], "AFFINITY", v[1], "CLAIM", k, "NAMESPACE", namespace).Replace(claims))
			}
		}
		if w.namespace != "" {
			c.Apply(t, "", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: "+namespace+"\n  annotations:\n    "+w.namespace+"\n")
		}
		got, errors := platformsFor(t, binary, c.Kubeconfig, pod("one", namespace, w.spec))
		want := scheduled(t, c, namespace, w, nodes)
		if !slices.Equal(got, want) {
			t.Errorf("%s: --for says %v, the scheduler %v\n%s", name, got, want, errors)
		}
		bound += len(want)
		now := int64(0)
		if err := c.Client.CoreV1().Pods(namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if bound < 2*len(workloads) {
		t.Errorf("only %d platforms for %d workloads", bound, len(workloads))
	}
}

func pod(name, namespace, spec string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata:\n  name: %s\n  namespace: %s\nspec:\n  %s\n", name, namespace, spec)
}

func platformsFor(t *testing.T, binary, kubeconfig, manifest string) (platforms []string, errors string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pod.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	got := detect(t, binary, kubeconfig, "--for", file, "--json")
	if got.Code == 3 {
		return nil, got.Errors
	}
	var out struct{ Platforms []string }
	if err := json.Unmarshal([]byte(got.Out), &out); got.Code != 0 || err != nil {
		t.Fatalf("%+v, %v\n%s", got, err, manifest)
	}
	return out.Platforms, got.Errors
}

// scheduled makes the workload for each node and returns the platforms of those
// that took it. The node is asked for by a label that no workload names, so that
// the API server admits the Pod before as it would without.
func scheduled(t *testing.T, c *cluster.ControlPlane, namespace string, w workload, nodes []*corev1.Node) []string {
	t.Helper()
	for _, n := range nodes {
		p := pod("on-"+n.Name, namespace, w.spec)
		if strings.Contains(p, "nodeSelector: {") {
			p = strings.Replace(p, "nodeSelector: {", "nodeSelector: {kubernetes.io/hostname: "+n.Name+", ", 1)
		} else {
			p += "  nodeSelector: {kubernetes.io/hostname: " + n.Name + "}\n"
		}
		const ofPlatform = "{key: kubernetes.io/arch, operator: Exists}, {key: node.kubernetes.io/os, operator: Exists}"
		if strings.Contains(p, "tolerations: [") {
			p = strings.Replace(p, "tolerations: [", "tolerations: ["+ofPlatform+", ", 1)
		} else {
			p += "  tolerations: [" + ofPlatform + "]\n"
		}
		c.Apply(t, namespace, p)
	}
	var platforms []string
	for _, n := range nodes {
		node, _ := c.Scheduled(t, namespace, "on-"+n.Name)
		if node != "" {
			platforms = append(platforms, n.Labels["kubernetes.io/os"]+"/"+n.Labels["kubernetes.io/arch"])
		}
	}
	slices.Sort(platforms)
	return slices.Compact(platforms)
}
