package cluster

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/cluster/clustertest"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/pod"
)

func object(t *testing.T, s string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(s), &o); err != nil {
		t.Fatal(err, s)
	}
	return o
}

// nodePoolOf makes a NodePool from the JSON of its template's spec.
func nodePoolOf(t *testing.T, name, spec string) map[string]any {
	return object(t, `{"kind":"NodePool","metadata":{"name":"`+name+`"},"spec":{"template":{"spec":`+spec+`}}}`)
}

const nodePools = "/apis/karpenter.sh/v1/nodepools"

func karpenter(t *testing.T, pools ...map[string]any) *clustertest.Server {
	t.Helper()
	s := clustertest.Start(t)
	s.Groups = map[string]string{"karpenter.sh": "v1", "apps": "v1"}
	s.Objects[nodePools] = pools
	return s
}

func TestKarpenter(t *testing.T) {
	req := func(s string) string { return `{"requirements":[` + s + `]}` }
	const arm = `{"key":"kubernetes.io/arch","operator":"In","values":["arm64"]}`
	both := "linux/amd64 0+1\nlinux/arm64 0+1"
	note := "\nnote: 0+1 linux/amd64 without a requirement on the architecture, counted for amd64 and arm64 (NodePool p)" +
		"\nnote: 0+1 linux/arm64 without a requirement on the architecture, counted for amd64 and arm64 (NodePool p)"
	for name, c := range map[string]struct {
		pool, want string
		query      Query
	}{
		"in":               {req(arm), "linux/arm64 0+1", Query{}},
		"in, beta label":   {req(`{"key":"beta.kubernetes.io/arch","operator":"In","values":["arm64","amd64"]}`), both, Query{}},
		"two ins":          {req(`{"key":"kubernetes.io/arch","operator":"In","values":["arm64","amd64"]},` + arm), "linux/arm64 0+1", Query{}},
		"not in":           {req(`{"key":"kubernetes.io/arch","operator":"NotIn","values":["arm64"]}`), "linux/amd64 0+1", Query{}},
		"exists":           {req(`{"key":"kubernetes.io/arch","operator":"Exists"}`), both, Query{}},
		"nothing said":     {req(`{"key":"karpenter.sh/capacity-type","operator":"In","values":["spot"]}`), both + note, Query{}},
		"windows":          {req(arm + `,{"key":"kubernetes.io/os","operator":"In","values":["windows"]}`), "", Query{}},
		"not linux":        {req(arm + `,{"key":"kubernetes.io/os","operator":"NotIn","values":["linux"]}`), "", Query{}},
		"no arch":          {req(`{"key":"kubernetes.io/arch","operator":"DoesNotExist"}`), "", Query{}},
		"tainted":          {`{"taints":[{"key":"CriticalAddonsOnly","effect":"NoSchedule"}],"requirements":[` + arm + `]}`, "out: 0+1 linux/arm64 tainted CriticalAddonsOnly:NoSchedule (NodePool p)", Query{}},
		"tainted for arch": {`{"taints":[{"key":"kubernetes.io/arch","value":"arm64","effect":"NoSchedule"}],"requirements":[` + arm + `]}`, "linux/arm64 0+1 kubernetes.io/arch=arm64:NoSchedule", Query{}},
		"tolerated": {
			`{"taints":[{"key":"x","effect":"NoSchedule"}],"requirements":[` + arm + `]}`, "linux/arm64 0+1",
			Query{Filter: Filter{Tolerations: []pod.Toleration{{Key: "x", Operator: "Exists"}}}},
		},
		"startup taint":    {`{"startupTaints":[{"key":"x","effect":"NoSchedule"}],"requirements":[` + arm + `]}`, "linux/arm64 0+1", Query{}},
		"selected by name": {req(arm), "linux/arm64 0+1", Query{Filter: Filter{Selector: selector(t, "karpenter.sh/nodepool=p")}}},
		"other name":       {req(arm), "", Query{Filter: Filter{Selector: selector(t, "karpenter.sh/nodepool=q")}}},
		"selected by one value": {
			req(arm + `,{"key":"zone","operator":"In","values":["a","b"]}`), "linux/arm64 0+1",
			Query{Filter: Filter{Selector: selector(t, "zone=b,node.kubernetes.io/instance-type=m5.large")}},
		},
		"selected by no value": {req(arm + `,{"key":"zone","operator":"In","values":["a","b"]}`), "", Query{Filter: Filter{Selector: selector(t, "zone=c")}}},
	} {
		t.Run(name, func(t *testing.T) {
			c.query.NodePools = true
			if d := cmp.Diff(c.want, ask(t, karpenter(t, nodePoolOf(t, "p", c.pool)), c.query)); d != "" {
				t.Error(d)
			}
		})
	}
	off := karpenter(t,
		object(t, `{"metadata":{"name":"a"},"spec":{"limits":{"cpu":"0"},"template":{"spec":`+req(arm)+`}}}`),
		object(t, `{"metadata":{"name":"b"},"spec":{"limits":{"cpu":1000,"memory":"1000Gi"},"template":{"metadata":{"labels":{"kubernetes.io/arch":"amd64"}},"spec":{}}}}`),
		object(t, `{"metadata":{"name":"c"},"spec":{"template":{"spec":`+req(arm)+`}},"status":{"conditions":[{"type":"Ready","status":"False"}]}}`),
	)
	want := "linux/amd64 0+1\nout: 0+1 linux/arm64 limited to no cpu (NodePool a)\nout: 0+1 linux/arm64 not ready (NodePool c)"
	if d := cmp.Diff(want, ask(t, off, Query{NodePools: true})); d != "" {
		t.Error(d)
	}
}

func TestClusterAPI(t *testing.T) {
	machines := func(kind, name, annotations, more string) map[string]any {
		group := "cluster.x-k8s.io"
		if name == "power" {
			group = "machine.openshift.io"
		}
		return object(t, `{"kind":"`+kind+`","metadata":{"name":"`+name+`","annotations":{"`+group+maxSizeSuffix+`":"3",`+annotations+`}`+more+`}}`)
	}
	const labels, taints = `"capacity.cluster-autoscaler.kubernetes.io/labels":`, `"capacity.cluster-autoscaler.kubernetes.io/taints":`
	s := clustertest.Start(t, clustertest.Node("a", "linux", "amd64"))
	s.Groups = map[string]string{"cluster.x-k8s.io": "v1beta2", "machine.openshift.io": "v1beta1"}
	s.Objects["/apis/cluster.x-k8s.io/v1beta2/machinedeployments"] = []map[string]any{
		machines("MachineDeployment", "arm", labels+`"kubernetes.io/arch=arm64,pool=x",`+taints+`"kubernetes.io/arch=arm64:NoSchedule"`, ""),
		machines("MachineDeployment", "gpu", labels+`"kubernetes.io/arch=arm64",`+taints+`"gpu=yes:NoExecute"`, ""),
		machines("MachineDeployment", "none", labels+`"pool=x"`, ""),
		machines("MachineDeployment", "zero", labels+`"kubernetes.io/arch=s390x","cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size":"0"`, ""),
	}
	s.Objects["/apis/cluster.x-k8s.io/v1beta2/machinesets"] = []map[string]any{
		machines("MachineSet", "arm-1", labels+`"kubernetes.io/arch=arm64"`, `,"ownerReferences":[{"kind":"MachineDeployment"}]`),
	}
	s.Objects["/apis/machine.openshift.io/v1beta1/machinesets"] = []map[string]any{
		machines("MachineSet", "power", labels+`"kubernetes.io/arch=ppc64le"`, ""),
	}
	want := `linux/amd64 1
linux/arm64 0+1 kubernetes.io/arch=arm64:NoSchedule
linux/ppc64le 0+1
out: 0+1  whose architecture no object tells; the annotation capacity.cluster-autoscaler.kubernetes.io/labels would (MachineDeployment none)
out: 0+1 linux/arm64 tainted gpu=yes:NoExecute (MachineDeployment gpu)
out: 0+1 linux/s390x not scaled by the autoscaler: without a maximum size above zero (MachineDeployment zero)`
	if d := cmp.Diff(want, ask(t, s, Query{NodePools: true})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff("linux/arm64 0+1 kubernetes.io/arch=arm64:NoSchedule\nout: 0+1  whose architecture no object tells; the annotation capacity.cluster-autoscaler.kubernetes.io/labels would (MachineDeployment none)", ask(t, s, Query{NodePools: true, Filter: Filter{Selector: selector(t, "pool=x")}})); d != "" {
		t.Error("selector", d)
	}
}

func TestPoolsThatAreNotThere(t *testing.T) {
	s := clustertest.Start(t, clustertest.Node("a", "linux", "amd64"))
	if d := cmp.Diff("linux/amd64 1", ask(t, s, Query{NodePools: false})); d != "" {
		t.Error(d)
	}
	s.Groups = map[string]string{"apps": "v1"}
	if d := cmp.Diff("linux/amd64 1", ask(t, s, Query{NodePools: true})); d != "" {
		t.Error("no CRD", d)
	}
	s.Groups = map[string]string{"karpenter.sh": "v1", "cluster.x-k8s.io": "v1beta1"}
	if d := cmp.Diff("linux/amd64 1", ask(t, s, Query{NodePools: true})); d != "" {
		t.Error("group without the resource", d)
	}
	s.Objects[nodePools] = nil
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == nodePools {
			clustertest.Refuse(w, 403, "Forbidden", `nodepools.karpenter.sh is forbidden: User "ci" cannot list resource`)
			return true
		}
		return false
	}
	_, err := open(t, s, nil).Survey(context.Background(), Query{NodePools: true})
	if exit.CodeOf(err) != exit.Denied || !strings.HasPrefix(err.Error(), "reading Karpenter NodePools of test: 403 Forbidden") || !strings.Contains(strings.Join(exit.HintsOf(err), "\n"), "nodepools") {
		t.Errorf("%v %q", err, exit.HintsOf(err))
	}
}
