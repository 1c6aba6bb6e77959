package cluster

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/polyarch/polyarch/internal/cluster/clustertest"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/pod"
)

// workloadOf makes a workload of rules and the rest of a PodSpec in YAML.
func workloadOf(t *testing.T, kind string, s pod.Spec, podSpec string) *Workload {
	t.Helper()
	b, err := yaml.YAMLToJSON([]byte(podSpec))
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWorkload(Workload{Name: kind + "/w", Kind: kind, Spec: s}, b, []byte(`{"spec":`+string(b)+`}`))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func in(key string, values ...string) pod.Requirement { return pod.In(key, values...) }

// A large cluster costs the labels of all nodes and a few whole ones, which the
// server selects by the workload's own rules.
func TestForCostsLittle(t *testing.T) {
	web := clustertest.Label("pool", "web")
	nodes := slices.Concat(
		clustertest.Nodes(900, "amd", "linux", "amd64", clustertest.Full),
		clustertest.Nodes(300, "arm", "linux", "arm64", clustertest.Full),
		clustertest.Nodes(20, "amdweb", "linux", "amd64", web, clustertest.Full),
		clustertest.Nodes(5, "armweb", "linux", "arm64", web, clustertest.Full, clustertest.Taint("dedicated=web:NoSchedule")),
		clustertest.Nodes(7, "z", "linux", "s390x", clustertest.Full),
	)
	srv := clustertest.Start(t, nodes...)
	w := workloadOf(t, "Deployment", pod.Spec{NodeSelector: []pod.Requirement{in("pool", "web")}}, "containers: [{}]")
	want := `linux/amd64 20
out: 300 linux/arm64 without pool=web, which its nodeSelector asks for (arm-00000)
out: 5 linux/arm64 tainted dedicated=web:NoSchedule (armweb-00000)
out: 7 linux/s390x without pool=web, which its nodeSelector asks for (z-00000)
out: 900 linux/amd64 without pool=web, which its nodeSelector asks for (amd-00000)
not whole`
	if d := cmp.Diff(want, ask(t, srv, Query{Filter: Filter{Workload: w}})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{
		"/api/v1/namespaces/default whole",
		"/api/v1/nodes labelSelector=kubernetes.io/arch=amd64,kubernetes.io/os=linux,pool in (web),type!=virtual-kubelet limit=10 whole",
		"/api/v1/nodes labelSelector=kubernetes.io/arch=arm64,kubernetes.io/os=linux,pool in (web),type!=virtual-kubelet limit=10 whole",
		"/api/v1/nodes metadata",
	}, srv.Requests()); d != "" {
		t.Error(d)
	}

	// Terms are ORed: each is a list of its own, and no node counts twice.
	terms := pod.Spec{Required: true, Terms: []pod.Term{
		{Expressions: []pod.Requirement{in("pool", "web"), in("kubernetes.io/arch", "amd64")}},
		{Expressions: []pod.Requirement{in("kubernetes.io/arch", "amd64", "s390x")}},
	}}
	got := ask(t, srv, Query{Filter: Filter{Workload: workloadOf(t, "Deployment", terms, "containers: [{}]")}})
	if d := cmp.Diff("linux/amd64 920\nlinux/s390x 7\nout: 305 linux/arm64 not matched by its required node affinity (arm-00000)\nnot whole", got); d != "" {
		t.Error(d)
	}
}

func TestRequests(t *testing.T) {
	nodes := func(allocatable string) []map[string]any {
		n := clustertest.Node("a", "linux", "arm64")
		n["status"].(map[string]any)["allocatable"] = object(t, allocatable)
		return []map[string]any{n}
	}
	for spec, want := range map[string]string{
		"containers: [{resources: {requests: {cpu: '4', memory: 8Gi}}}]":                                                                    "",
		"containers: [{resources: {requests: {cpu: 4001m}}}]":                                                                               "with less than the 4001m of cpu that it requests",
		"containers: [{resources: {limits: {memory: 9Gi}}}]":                                                                                "with less than the 9Gi of memory that it requests",
		"containers: [{resources: {requests: {cpu: 1}, limits: {cpu: 9}}}]":                                                                 "",
		"containers: [{resources: {requests: {cpu: 2}}}, {resources: {requests: {cpu: 3}}}]":                                                "with less than the 5 of cpu that it requests",
		"{initContainers: [{resources: {requests: {cpu: 4}}}], containers: [{resources: {requests: {cpu: 4}}}]}":                            "",
		"{initContainers: [{restartPolicy: Always, resources: {requests: {cpu: 1}}}, {resources: {requests: {cpu: 4}}}], containers: [{}]}": "with less than the 5 of cpu that it requests",
		"{initContainers: [{resources: {requests: {cpu: 4}}}, {restartPolicy: Always, resources: {requests: {cpu: 1}}}], containers: [{}]}": "",
		"{overhead: {cpu: 1}, containers: [{resources: {requests: {cpu: 4}}}]}":                                                             "with less than the 5 of cpu that it requests",
		"{resources: {requests: {cpu: 2}}, containers: [{resources: {requests: {cpu: 9}}}]}":                                                "",
		"containers: [{resources: {limits: {nvidia.com/gpu: 1}}}]":                                                                          "with less than the 1 of nvidia.com/gpu that it requests",
		"containers: [{resources: {limits: {nvidia.com/gpu: 0}}}]":                                                                          "",
		"containers: [{resources: {requests: {hugepages-2Mi: 4Mi}}}]":                                                                       "with less than the 4Mi of hugepages-2Mi that it requests",
	} {
		w := workloadOf(t, "Pod", pod.Spec{}, spec)
		srv := clustertest.Start(t, nodes(`{"cpu":"4","memory":"8Gi","pods":"110"}`)...)
		wanted := "linux/arm64 1"
		if want != "" {
			wanted = "out: 1 linux/arm64 " + want + " (a)"
		}
		if d := cmp.Diff(wanted, ask(t, srv, Query{Filter: Filter{Workload: w}})); d != "" {
			t.Error(spec, d)
		}
	}
	full := clustertest.Start(t, nodes(`{"cpu":"4","memory":"8Gi","pods":"0"}`)...)
	if d := cmp.Diff("out: 1 linux/arm64 without room for Pods (a)", ask(t, full, Query{Filter: Filter{Workload: workloadOf(t, "Pod", pod.Spec{}, "containers: []")}})); d != "" {
		t.Error(d)
	}
}

func TestWhatDecidesBesideThePod(t *testing.T) {
	zoned := func(zone string) clustertest.Option { return clustertest.Label("topology.kubernetes.io/zone", zone) }
	srv := clustertest.Start(t,
		clustertest.Node("a", "linux", "amd64", zoned("a")), clustertest.Node("b", "linux", "arm64", zoned("b")),
		clustertest.Node("c", "linux", "s390x", zoned("c"), clustertest.Taint("sandbox:NoSchedule")), clustertest.Node("w", "windows", "amd64", zoned("b")),
	)
	for path, documents := range map[string]string{
		"/api/v1/namespaces": `metadata: {name: default}
---
metadata: {name: selecting, annotations: {scheduler.alpha.kubernetes.io/node-selector: "topology.kubernetes.io/zone=b, kubernetes.io/os=linux"}}
---
metadata: {name: project, annotations: {openshift.io/node-selector: "topology.kubernetes.io/zone=a"}}
---
metadata: {name: tolerating, annotations: {scheduler.alpha.kubernetes.io/defaultTolerations: '[{"operator":"Exists","key":"sandbox"}]'}}
---
metadata: {name: broken, annotations: {scheduler.alpha.kubernetes.io/defaultTolerations: 'x'}}
`,
		"/apis/node.k8s.io/v1/runtimeclasses": `{metadata: {name: sandboxed}, scheduling: {nodeSelector: {topology.kubernetes.io/zone: c}, tolerations: [{key: sandbox, operator: Exists}]}}`,
		"/api/v1/namespaces/default/persistentvolumeclaims": `{metadata: {name: bound}, spec: {volumeName: pv}}
---
{metadata: {name: labelled}, spec: {volumeName: old}}
---
{metadata: {name: waiting}, spec: {storageClassName: zonal}}
`,
		"/api/v1/persistentvolumes": `{metadata: {name: pv}, spec: {nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [b]}]}]}}}}
---
{metadata: {name: old, labels: {failure-domain.beta.kubernetes.io/zone: a__c}}}
`,
		"/apis/storage.k8s.io/v1/storageclasses": `{metadata: {name: zonal}, allowedTopologies: [{matchLabelExpressions: [{key: topology.kubernetes.io/zone, values: [a, b]}]}]}`,
	} {
		srv.Objects[path] = objects(t, documents)
	}
	volume := func(claim string) string {
		return "{containers: [{}], volumes: [{persistentVolumeClaim: {claimName: " + claim + "}}]}"
	}
	for name, c := range map[string]struct{ namespace, spec, want string }{
		"nothing":               {"", "containers: [{}]", "linux/amd64,linux/arm64,windows/amd64"},
		"spec.os":               {"", "{os: {name: windows}, containers: [{}]}", "windows/amd64"},
		"node-selector":         {"selecting", "containers: [{}]", "linux/arm64"},
		"OpenShift's":           {"project", "containers: [{}]", "linux/amd64"},
		"defaultTolerations":    {"tolerating", "containers: [{}]", "linux/amd64,linux/arm64,linux/s390x,windows/amd64"},
		"a new namespace":       {"new", "containers: [{}]", "linux/amd64,linux/arm64,windows/amd64"},
		"RuntimeClass":          {"", "{runtimeClassName: sandboxed, containers: [{}]}", "linux/s390x"},
		"a bound volume":        {"", volume("bound"), "linux/arm64,windows/amd64"},
		"a volume with labels":  {"", volume("labelled"), "linux/amd64"},
		"a volume to be made":   {"", volume("waiting"), "linux/amd64,linux/arm64,windows/amd64"},
		"a volume of templates": {"", "{containers: [{}], volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: zonal}}]}", "linux/amd64,linux/arm64,windows/amd64"},
	} {
		t.Run(name, func(t *testing.T) {
			w := workloadOf(t, "StatefulSet", pod.Spec{}, c.spec)
			w.Namespace = c.namespace
			survey, err := open(t, srv, nil).Survey(context.Background(), Query{Filter: Filter{Workload: w}})
			if err != nil || survey.Platforms().String() != c.want || len(survey.Warnings) > 0 {
				t.Errorf("%v, %+v", err, survey)
			}
		})
	}

	// Contradictions are refused; missing objects are reported.
	w := workloadOf(t, "Pod", pod.Spec{NodeSelector: []pod.Requirement{in("topology.kubernetes.io/zone", "a")}}, "containers: [{}]")
	w.Namespace = "selecting"
	if _, err := open(t, srv, nil).Survey(context.Background(), Query{Filter: Filter{Workload: w}}); exit.CodeOf(err) != exit.Impossible || !strings.Contains(err.Error(), "the annotation scheduler.alpha.kubernetes.io/node-selector of its namespace selecting asks for topology.kubernetes.io/zone=b, and Pod/w for topology.kubernetes.io/zone=a") {
		t.Error(err)
	}
	for spec, want := range map[string]string{volume("gone"): "Pod/w claims the volume gone, which is not there yet", "containers: [{}]": "reading the annotation scheduler.alpha.kubernetes.io/defaultTolerations of namespace broken"} {
		w := workloadOf(t, "Pod", pod.Spec{}, spec)
		if spec == "containers: [{}]" {
			w.Namespace = "broken"
		}
		survey, err := open(t, srv, nil).Survey(context.Background(), Query{Filter: Filter{Workload: w}})
		if err != nil || len(survey.Warnings) != 1 || !strings.HasPrefix(survey.Warnings[0], want) {
			t.Errorf("%v, %+v", err, survey)
		}
	}
	gone := workloadOf(t, "Pod", pod.Spec{}, "{runtimeClassName: gone, containers: [{}]}")
	if _, err := open(t, srv, nil).Survey(context.Background(), Query{Filter: Filter{Workload: gone}}); exit.CodeOf(err) != exit.Impossible {
		t.Error(err)
	}
	gone.Beside = []json.RawMessage{json.RawMessage(`{"kind":"RuntimeClass","metadata":{"name":"gone"},"scheduling":{"nodeSelector":{"topology.kubernetes.io/zone":"b"}}}`)}
	if survey, err := open(t, srv, nil).Survey(context.Background(), Query{Filter: Filter{Workload: gone}}); err != nil || survey.Platforms().String() != "linux/arm64,windows/amd64" {
		t.Errorf("a RuntimeClass of the same manifests: %v, %+v", err, survey)
	}

	// What may not be read: the namespace's rules are a warning, what the Pod names is code 4.
	srv.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/api/v1/nodes" {
			return false
		}
		clustertest.Refuse(w, 403, "Forbidden", `x is forbidden: User "ci" cannot get resource`)
		return true
	}
	survey, err := open(t, srv, nil).Survey(context.Background(), Query{Filter: Filter{Workload: workloadOf(t, "Pod", pod.Spec{}, "containers: [{}]")}})
	if err != nil || len(survey.Warnings) != 1 || !strings.HasPrefix(survey.Warnings[0], "reading Namespace default of test: 403 Forbidden") {
		t.Errorf("%v, %+v", err, survey)
	}
	_, err = open(t, srv, nil).Survey(context.Background(), Query{Filter: Filter{Workload: workloadOf(t, "Pod", pod.Spec{}, volume("bound"))}})
	if exit.CodeOf(err) != exit.Denied || !strings.Contains(strings.Join(exit.HintsOf(err), "\n"), "resources: [namespaces, persistentvolumes, persistentvolumeclaims], verbs: [get]") {
		t.Errorf("%v, %q", err, exit.HintsOf(err))
	}
}

func TestPlacedWorkloads(t *testing.T) {
	srv := clustertest.Start(t,
		clustertest.Node("a", "linux", "amd64"), clustertest.Node("b", "linux", "arm64", clustertest.Cordoned, clustertest.Taint("x:NoSchedule")), clustertest.Node("c", "linux", "s390x", clustertest.Taint("x:NoExecute")),
	)
	for name, want := range map[string]string{"b": "linux/arm64", "c": "", "gone": ""} {
		w := workloadOf(t, "Pod", pod.Spec{NodeName: name}, "containers: [{}]")
		survey, err := open(t, srv, nil).Survey(context.Background(), Query{Filter: Filter{Workload: w}})
		if err != nil || survey.Platforms().String() != want {
			t.Errorf("%s: %v, %+v", name, err, survey)
		}
	}
	daemon := workloadOf(t, "DaemonSet", pod.Spec{}, "containers: [{}]")
	cordoned := clustertest.Start(t, clustertest.Node("b", "linux", "arm64", clustertest.Cordoned))
	if d := cmp.Diff("linux/arm64 1", ask(t, cordoned, Query{Filter: Filter{Workload: daemon}})); d != "" {
		t.Error("a DaemonSet heeds no cordon", d)
	}
}

// Pools are judged for the workload too.
func TestForPools(t *testing.T) {
	s := serve(t, nil, karpenterPool("p", archBoth, "")+ocp("arm", openshiftMax+"\n    capacity.cluster-autoscaler.kubernetes.io/labels: kubernetes.io/arch=s390x", "[]", "x"))
	for name, c := range map[string]struct {
		spec pod.Spec
		more string
		want string
	}{
		"any":          {pod.Spec{}, "containers: [{}]", "linux/amd64,linux/arm64,linux/s390x"},
		"selector":     {pod.Spec{NodeSelector: []pod.Requirement{in("billing-team", "my-team")}}, "containers: [{}]", "linux/amd64,linux/arm64"},
		"architecture": {pod.Spec{NodeSelector: []pod.Requirement{in("kubernetes.io/arch", "arm64")}}, "containers: [{}]", "linux/arm64"},
		"affinity":     {pod.Spec{Required: true, Terms: []pod.Term{{Expressions: []pod.Requirement{in("team", "a")}}, {}}}, "containers: [{}]", "linux/s390x"},
		"fields":       {pod.Spec{Required: true, Terms: []pod.Term{{Fields: []pod.Requirement{in("metadata.name", "n")}}}}, "containers: [{}]", ""},
		"its own node": {pod.Spec{NodeName: "n"}, "containers: [{}]", ""},
		"too large":    {pod.Spec{}, "containers: [{resources: {requests: {cpu: 5}}}]", "linux/amd64,linux/arm64"},
		"another os":   {pod.Spec{}, "{os: {name: windows}, containers: [{}]}", ""},
	} {
		survey, err := open(t, s, nil).Survey(context.Background(), Query{NodePools: true, Filter: Filter{Workload: workloadOf(t, "Pod", c.spec, c.more)}})
		if err != nil || survey.Platforms().String() != c.want {
			t.Errorf("%s: %v, %+v", name, err, survey)
		}
	}
}
