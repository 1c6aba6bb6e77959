package readiness

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/pod"
)

// give adds an object; more is what goes into its metadata, spec and status.
func give(t *testing.T, c *Collector, kind, name, metadata, spec, status string, containers ...string) {
	t.Helper()
	var list []string
	f := Found{APIVersion: map[string]string{"Pod": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}[kind], Kind: kind, Namespace: "n", Name: name}
	if f.APIVersion == "" {
		f.APIVersion = "apps/v1"
	}
	for _, s := range containers {
		name, image, _ := strings.Cut(s, "=")
		list = append(list, fmt.Sprintf(`{"name":%q,"resources":{"requests":{"cpu":"1","memory":"1Gi"}}}`, name))
		f.Spec.Containers = append(f.Spec.Containers, pod.Container{Name: name, Image: image})
	}
	f.PodSpec = []byte(`{"containers":[` + strings.Join(list, ",") + `]}`)
	f.Object = []byte(fmt.Sprintf(`{"metadata":{%s},"spec":{%s},"status":{%s}}`, metadata, spec, status))
	if !json.Valid(f.Object) {
		t.Fatalf("%s", f.Object)
	}
	if err := c.Add(f); err != nil {
		t.Fatal(err)
	}
}

func ownedBy(kind, name string) string {
	group := map[string]string{"ReplicaSet": "apps/v1", "Deployment": "apps/v1", "Node": "v1", "CronJob": "batch/v1", "Job": "batch/v1"}[kind]
	return fmt.Sprintf(`"ownerReferences":[{"apiVersion":%q,"kind":%q,"name":%q,"controller":"true"}]`, group, kind, name)
}

// list returns NAME pods image,image… of each workload.
func list(ws []*Workload) string {
	var out []string
	for _, w := range ws {
		var images []string
		for _, c := range w.Containers {
			s := c.Image
			if c.Injected {
				s = "+" + s
			}
			if c.Digest != "" {
				s += "@" + c.Digest[7:9]
			}
			images = append(images, s)
		}
		out = append(out, fmt.Sprintf("%s %d %s", w.Title(), w.Pods, strings.Join(images, ",")))
	}
	return strings.Join(out, "; ")
}

func running(name, digit string) string {
	return fmt.Sprintf(`"phase":"Running","containerStatuses":[{"name":%q,"imageID":"r.io/a@sha256:%s"}]`, name, strings.Repeat(digit, 64))
}

func TestCollector(t *testing.T) {
	for name, c := range map[string]struct {
		give func(*testing.T, *Collector)
		want string
	}{
		"a Deployment, its ReplicaSets and Pods": {func(t *testing.T, c *Collector) {
			give(t, c, "Pod", "web-2-x", `"uid":"4",`+ownedBy("ReplicaSet", "web-2"), "", running("c", "a"), "c=new", "istio=mesh")
			give(t, c, "ReplicaSet", "web-1", ownedBy("Deployment", "web"), `"replicas":"0"`, "", "c=old")
			give(t, c, "Deployment", "web", "", `"replicas":"3"`, "", "c=new")
			give(t, c, "ReplicaSet", "web-2", ownedBy("Deployment", "web"), `"replicas":"3"`, "", "c=new")
		}, "Deployment/web 3 new@aa,+mesh"},
		"a Deployment that is not there": {func(t *testing.T, c *Collector) {
			give(t, c, "ReplicaSet", "web-1", ownedBy("Deployment", "web")+`,"annotations":{"deployment.kubernetes.io/revision":"7"}`, `"replicas":"0"`, "", "c=old")
			give(t, c, "ReplicaSet", "web-2", ownedBy("Deployment", "web")+`,"annotations":{"deployment.kubernetes.io/revision":"6"}`, `"replicas":"2"`, "", "c=new")
			give(t, c, "Pod", "web-2-x", ownedBy("ReplicaSet", "web-2"), "", running("c", "b"), "c=new")
			give(t, c, "Pod", "web-2-y", ownedBy("ReplicaSet", "web-2"), "", running("c", "b"), "c=new")
		}, "Deployment/web 2 new@bb"},
		"Pods alone": {func(t *testing.T, c *Collector) {
			for _, n := range []string{"x", "y", "z"} {
				give(t, c, "Pod", "web-5d4f-"+n, `"labels":{"pod-template-hash":"5d4f"},`+ownedBy("ReplicaSet", "web-5d4f"), "", running("c", "c"), "c=a")
			}
			give(t, c, "Pod", "db-0", ownedBy("StatefulSet", "db"), "", running("c", "d"), "c=db")
			give(t, c, "Pod", "done", ownedBy("Job", "j"), "", `"phase":"Succeeded"`, "c=j")
			give(t, c, "Pod", "api-node1", ownedBy("Node", "node1"), "", "", "c=api")
			give(t, c, "Pod", "own", "", "", "", "c=own")
		}, "Deployment/web 3 a@cc; Job/j 0 j; Pod/api-node1 1 api; Pod/own 1 own; StatefulSet/db 1 db@dd"},
		"Jobs of a CronJob": {func(t *testing.T, c *Collector) {
			give(t, c, "CronJob", "n", "", `"suspend":"true"`, "", "c=a")
			give(t, c, "Job", "n-1", ownedBy("CronJob", "n"), "", `"conditions":[{"type":"Complete","status":"True"}]`, "c=a")
			give(t, c, "Pod", "n-1-x", ownedBy("Job", "n-1"), "", running("c", "e"), "c=a")
			give(t, c, "Job", "other-1", ownedBy("CronJob", "other"), `"parallelism":"4"`, "", "c=b")
		}, "CronJob/n 0 a@ee; CronJob/other 4 b"},
		"owners of each other": {func(t *testing.T, c *Collector) {
			give(t, c, "ReplicaSet", "a", ownedBy("ReplicaSet", "b"), "", "", "c=a")
			give(t, c, "ReplicaSet", "b", ownedBy("ReplicaSet", "a"), "", "", "c=b")
			give(t, c, "Deployment", "x", ownedBy("Deployment", "x"), "", "", "c=x")
			give(t, c, "Job", "1", ownedBy("Job", "2"), "", "", "c=1")
			give(t, c, "Job", "2", ownedBy("Job", "3"), "", "", "c=2")
			give(t, c, "Job", "3", ownedBy("Job", "1"), "", "", "c=3")
		}, "Deployment/x 1 x; Job/1 1 1; Job/2 1 2; Job/3 1 3; ReplicaSet/a 1 a; ReplicaSet/b 1 b"},
		"twice": {func(t *testing.T, c *Collector) {
			give(t, c, "Deployment", "a", `"uid":"1"`, "", "", "c=a")
			give(t, c, "Deployment", "a", `"uid":"1"`, "", "", "c=a")
		}, "Deployment/a 1 a"},
		"odd fields": {func(t *testing.T, c *Collector) {
			give(t, c, "DaemonSet", "a", `"labels":[],"uid":{},"ownerReferences":{"a":"b"}`, `"replicas":{"x":"y"}`, `"desiredNumberScheduled":"many"`, "c=a")
		}, "DaemonSet/a 1 a"},
	} {
		t.Run(name, func(t *testing.T) {
			var col Collector
			c.give(t, &col)
			if got := list(col.Workloads()); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

func TestRequests(t *testing.T) {
	for in, want := range map[string]Resources{
		`{"containers":[{"resources":{"requests":{"cpu":"500m","memory":"1Gi"}}},{"resources":{"limits":{"cpu":"1"}}}]}`:                                                                    {1.5, 1 << 30},
		`{"initContainers":[{"resources":{"requests":{"cpu":"3"}}}],"containers":[{"resources":{"requests":{"cpu":"1","memory":"1Gi"}}}]}`:                                                  {3, 1 << 30},
		`{"initContainers":[{"restartPolicy":"Always","resources":{"requests":{"cpu":"1"}}},{"resources":{"requests":{"cpu":"2"}}}],"containers":[{"resources":{"requests":{"cpu":"1"}}}]}`: {3, 0},
		`{"resources":{"requests":{"cpu":"7"}},"overhead":{"cpu":"250m"},"containers":[{"resources":{"requests":{"cpu":"1","memory":"2Mi"}}}]}`:                                             {7.25, 2 << 20},
		`{"containers":"x"}`: {},
	} {
		var s podSpec
		if err := json.Unmarshal([]byte(in), &s); err != nil {
			t.Fatal(err)
		}
		if got := s.requests(); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

// Objects of one name are told apart by their files, and PodSpecs of one object
// by their paths.
func TestTitles(t *testing.T) {
	var c Collector
	add := func(kind, name, path, file string) {
		if err := c.Add(Found{APIVersion: "x.io/v1", Kind: kind, Name: name, Path: path, File: file, Object: []byte("{}"), PodSpec: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	add("Deployment", "web", "spec.template.spec", "dev.yaml")
	add("Deployment", "web", "spec.template.spec", "prod.yaml")
	add("RayCluster", "r", "spec.headGroupSpec.template.spec", "ray.yaml")
	add("RayCluster", "r", "spec.workerGroupSpecs[0].template.spec", "ray.yaml")
	add("Job", "one", "spec.template.spec", "dev.yaml")
	var got []string
	for _, row := range Judge(c.Workloads(), nil, nil, &Nodes{}).Workloads {
		got = append(got, row.Title())
	}
	want := "Deployment/web in dev.yaml; Deployment/web in prod.yaml; Job/one; RayCluster/r spec.headGroupSpec.template.spec; RayCluster/r spec.workerGroupSpecs[0].template.spec"
	if strings.Join(got, "; ") != want {
		t.Errorf("%q", got)
	}
}
