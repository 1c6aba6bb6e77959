// Longer than 350 lines: one table of what providers set on their nodes.

package cluster

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/polyarch/polyarch/internal/cluster/clustertest"
)

// objects reads YAML documents.
func objects(t *testing.T, documents string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for d := range strings.SplitSeq(documents, "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(d), &o); err != nil {
			t.Fatal(err, d)
		}
		if o != nil {
			out = append(out, o)
		}
	}
	return out
}

// plurals are where the kinds of the tests are listed.
var plurals = map[string]string{
	"NodePool": "nodepools", "Provisioner": "provisioners", "EC2NodeClass": "ec2nodeclasses", "AWSNodeTemplate": "awsnodetemplates", "AKSNodeClass": "aksnodeclasses", "NodeClass": "nodeclasses",
	"MachineDeployment": "machinedeployments", "MachineSet": "machinesets", "MachinePool": "machinepools", "AWSMachineTemplate": "awsmachinetemplates", "DockerMachineTemplate": "dockermachinetemplates",
	"ComputeClass": "computeclasses", "ControlPlaneMachineSet": "controlplanemachinesets", "NodeOverlay": "nodeoverlays",
}

// serve starts a server with objects of any kind; groups adds versions that
// serve none of them.
func serve(t *testing.T, groups map[string]string, documents string) *clustertest.Server {
	t.Helper()
	s := clustertest.Start(t)
	s.Groups = groups
	if s.Groups == nil {
		s.Groups = map[string]string{}
	}
	for _, o := range objects(t, documents) {
		if o["kind"] == "Node" {
			s.Objects["/api/v1/nodes"] = append(s.Objects["/api/v1/nodes"], o)
			continue
		}
		version, _ := o["apiVersion"].(string)
		group, v, _ := strings.Cut(version, "/")
		if s.Groups[group] == "" {
			s.Groups[group] = v
		}
		plural := plurals[o["kind"].(string)]
		if plural == "" {
			t.Fatalf("where is a %s listed?", o["kind"])
		}
		path := "/apis/" + version + "/" + plural
		s.Objects[path] = append(s.Objects[path], o)
	}
	return s
}

func pools(t *testing.T, want string, s *clustertest.Server, f Filter) {
	t.Helper()
	if d := cmp.Diff(want, ask(t, s, Query{NodePools: true, Filter: f})); d != "" {
		t.Error(d)
	}
}

// openshiftSet is the MachineSet of
// https://docs.openshift.com/container-platform/4.16/machine_management/creating_machinesets/creating-machineset-aws.html,
// with what cluster-autoscaler-operator and machine-api-provider-aws write on it.
const openshiftSet = `apiVersion: machine.openshift.io/v1beta1
kind: MachineSet
metadata:
  name: NAME
  namespace: openshift-machine-api
  labels: {machine.openshift.io/cluster-api-cluster: mycluster-4jmzq}
  annotations:
    machine.openshift.io/vCPU: "4"
    machine.openshift.io/memoryMb: "16384"
    machine.openshift.io/GPU: "0"
    MORE
spec:
  replicas: 0
  template:
    metadata: {labels: {machine.openshift.io/cluster-api-machine-role: worker}}
    spec:
      metadata: {labels: {node-role.kubernetes.io/worker: "", team: a}}
      taints: TAINTS
      providerSpec:
        value: {apiVersion: machine.openshift.io/v1beta1, kind: AWSMachineProviderConfig, instanceType: INSTANCE}
---
`

func ocp(name, more, taints, instance string) string {
	return strings.NewReplacer("NAME", name, "MORE", more, "TAINTS", taints, "INSTANCE", instance).Replace(openshiftSet)
}

const openshiftMax = `machine.openshift.io/cluster-api-autoscaler-node-group-max-size: "12"`

// Lines 1, 3, 5 and 8: the group prefers v1, which has ControlPlaneMachineSet
// alone (github.com/openshift/api, machine/v1 and machine/v1beta1).
func TestOpenShift(t *testing.T) {
	const node = `kind: Node
metadata: {name: m, labels: {kubernetes.io/os: linux, kubernetes.io/arch: amd64}, annotations: {machine.openshift.io/machine: openshift-machine-api/m}}
---
apiVersion: machine.openshift.io/v1
kind: ControlPlaneMachineSet
metadata: {name: cluster}
---
`
	arm := `capacity.cluster-autoscaler.kubernetes.io/labels: kubernetes.io/arch=arm64`
	s := serve(t, map[string]string{"machine.openshift.io": "v1,v1beta1"}, node+
		ocp("arm", openshiftMax+"\n    "+arm, "[]", "m6g.xlarge")+
		ocp("no-max", arm, "[]", "m6g.xlarge")+
		ocp("zero-max", `machine.openshift.io/cluster-api-autoscaler-node-group-max-size: "0"`+"\n    "+arm, "[]", "m6g.xlarge")+
		ocp("by-name", openshiftMax, "[]", "m7g.xlarge")+
		ocp("power", openshiftMax, "[]", "e980")+
		ocp("dedicated", openshiftMax+"\n    "+arm, "[{key: dedicated, value: db, effect: NoSchedule}]", "m6g.xlarge")+
		ocp("malformed", openshiftMax+"\n    "+arm+"\n    capacity.cluster-autoscaler.kubernetes.io/taints: a=b:c:NoSchedule,dedicated=db:NoSchedule", "[]", "m6g.xlarge"))
	pools(t, `linux/amd64 1
linux/arm64 0+2
note: 0+1 linux/arm64 by the name of its instance type, m7g.xlarge (MachineSet by-name)
out: 0+1  whose architecture no object tells; the annotation capacity.cluster-autoscaler.kubernetes.io/labels would (MachineSet power)
out: 0+2 linux/arm64 not scaled by the autoscaler: without a maximum size above zero (MachineSet no-max)
out: 0+2 linux/arm64 tainted dedicated=db:NoSchedule (MachineSet dedicated)`, s, Filter{})
	for sel, want := range map[string]string{"team=a": "linux/arm64 0+2", "team=b": "", "node-role.kubernetes.io/worker": "linux/arm64 0+2"} {
		if got := ask(t, s, Query{NodePools: true, Filter: Filter{Selector: selector(t, sel)}}); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: %s", sel, got)
		}
	}
	noted := serve(t, nil, ocp("malformed", openshiftMax+"\n    "+arm+"\n    capacity.cluster-autoscaler.kubernetes.io/taints: 'a b:NoSchedule'", "[]", "m6g.xlarge"))
	pools(t, "linux/arm64 0+1\nnote: 0+1 linux/arm64 with a malformed taint in its annotation, which the autoscaler passes over (MachineSet malformed)", noted, Filter{})
}

// capi is the MachineDeployment of the Cluster API book, autoscaled as in
// https://cluster-api.sigs.k8s.io/tasks/automated-machine-management/autoscaling.
func capi(name, cluster, more string) string {
	return strings.NewReplacer("NAME", name, "CLUSTER", cluster, "MORE", more).Replace(`apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineDeployment
metadata:
  name: NAME
  namespace: default
  labels: {cluster.x-k8s.io/cluster-name: CLUSTER}
  annotations:
    cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size: "0"
    cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size: "5"
    MORE
spec:
  clusterName: CLUSTER
  replicas: 0
  template:
    metadata: {labels: {node-role.kubernetes.io/web: "", other: label}}
    spec:
      clusterName: CLUSTER
      taints: [{key: batch, value: "yes", effect: PreferNoSchedule, propagation: Always}]
      infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: DockerMachineTemplate, name: NAME}
---
`)
}

// Lines 2 and 7: https://github.com/kubernetes/autoscaler/issues/8347.
func TestClusterAPITemplates(t *testing.T) {
	template := func(name, status string) string {
		return "apiVersion: infrastructure.cluster.x-k8s.io/v1beta2\nkind: DockerMachineTemplate\nmetadata: {name: " + name + ", namespace: default}\nspec: {template: {spec: {}}}\nstatus: " + status + "\n---\n"
	}
	const capacity = "capacity: {cpu: '4', memory: 16Gi}"
	const node = "kind: Node\nmetadata: {name: cp, labels: {kubernetes.io/os: linux, kubernetes.io/arch: amd64}, annotations: {cluster.x-k8s.io/cluster-name: mgmt, cluster.x-k8s.io/cluster-namespace: default}}\n---\n"
	s := serve(t, nil, node+
		capi("arm", "mgmt", "")+template("arm", "{"+capacity+", nodeInfo: {architecture: arm64, operatingSystem: linux}}")+
		capi("labelled", "mgmt", "capacity.cluster-autoscaler.kubernetes.io/labels: kubernetes.io/arch=s390x")+template("labelled", "{"+capacity+", nodeInfo: {architecture: arm64}}")+
		capi("silent", "mgmt", "")+template("silent", "{"+capacity+"}")+
		capi("no-capacity", "mgmt", "")+template("no-capacity", "{nodeInfo: {architecture: arm64}}")+
		capi("paused", "mgmt", `cluster.x-k8s.io/paused: ""`)+template("paused", "{"+capacity+", nodeInfo: {architecture: ppc64le}}")+
		capi("theirs", "tenant", "")+template("theirs", "{"+capacity+", nodeInfo: {architecture: riscv64}}"))
	want := `linux/amd64 1
linux/arm64 0+1
linux/s390x 0+1
out: 0+1  whose architecture no object tells; the annotation capacity.cluster-autoscaler.kubernetes.io/labels would (MachineDeployment silent)
out: 0+1 linux/arm64 not scaled from zero: without capacity annotations for cpu and memory (MachineDeployment no-capacity)
out: 0+1 linux/ppc64le paused (MachineDeployment paused)
out: 0+1 linux/riscv64 of another cluster, tenant (MachineDeployment theirs)`
	pools(t, want, s, Filter{})
	// The node that says whose cluster this is need not be one that is selected.
	pools(t, "linux/arm64 0+1\nlinux/s390x 0+1\n"+want[strings.Index(want, "out:"):], s, Filter{Selector: selector(t, "node-role.kubernetes.io/web")})
	if got := ask(t, s, Query{NodePools: true, Filter: Filter{Selector: selector(t, "other=label")}}); got != "" {
		t.Errorf("a label that Cluster API does not copy to nodes: %s", got)
	}
}

// karpenterPool is the NodePool of https://karpenter.sh/docs/concepts/nodepools/.
func karpenterPool(name, requirements, more string) string {
	return strings.NewReplacer("NAME", name, "REQUIREMENTS", requirements, "MORE", more).Replace(`apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: NAME, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  template:
    metadata: {labels: {billing-team: my-team}}
    spec:
      requirements: [REQUIREMENTS]
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
  limits: {cpu: "1000", memory: 1000Gi}
  MORE
status: {conditions: [{type: Ready, status: "True"}]}
---
`)
}

// nodeClass is the EC2NodeClass of https://karpenter.sh/docs/concepts/nodeclasses/#statusamis.
func nodeClassOf(spec, amis string) string {
	return "apiVersion: karpenter.k8s.aws/v1\nkind: EC2NodeClass\nmetadata: {name: default}\nspec: " + spec + "\nstatus: {amis: [" + amis + "]}\n---\n"
}

const (
	amiArm   = "{id: ami-01234567890123456, name: custom-ami-arm64, requirements: [{key: kubernetes.io/arch, operator: In, values: [arm64]}]}"
	amiAmd   = "{id: ami-01234567890654321, name: custom-ami-amd64, requirements: [{key: kubernetes.io/arch, operator: In, values: [amd64]}]}"
	archBoth = "{key: kubernetes.io/arch, operator: In, values: [amd64, arm64]}"
	alias    = "{amiSelectorTerms: [{alias: al2023@latest}]}"
)

// Lines 4 and 6.
func TestKarpenterAsItMeansPools(t *testing.T) {
	both := "linux/amd64 0+1\nlinux/arm64 0+1"
	spot := "{key: karpenter.sh/capacity-type, operator: In, values: [spot]}"
	for name, c := range map[string]struct{ objects, selector, want string }{
		"both":                         {karpenterPool("p", archBoth, "") + nodeClassOf(alias, amiArm+","+amiAmd), "", both},
		"selected by architecture":     {karpenterPool("p", archBoth, "") + nodeClassOf(alias, amiArm+","+amiAmd), "kubernetes.io/arch=arm64", "linux/arm64 0+1"},
		"by its former label":          {karpenterPool("p", archBoth, ""), "beta.kubernetes.io/arch=arm64", "linux/arm64 0+1"},
		"by a label of its own":        {karpenterPool("p", archBoth, ""), "billing-team=my-team", both},
		"by another value":             {karpenterPool("p", archBoth, ""), "billing-team=other", ""},
		"by a label nobody defines":    {karpenterPool("p", archBoth, ""), "team=a", ""},
		"without a label":              {karpenterPool("p", archBoth, ""), "team!=a,!other", both},
		"by one that it lets open":     {karpenterPool("p", archBoth+", {key: team, operator: Exists}", ""), "team=a", both},
		"by one that it rules out":     {karpenterPool("p", archBoth+", {key: team, operator: NotIn, values: [a]}", ""), "team=a", ""},
		"by another than it rules out": {karpenterPool("p", archBoth+", {key: team, operator: NotIn, values: [a]}", ""), "team=b", both},
		"by two values of one":         {karpenterPool("p", archBoth, ""), "topology.kubernetes.io/zone=a,topology.kubernetes.io/zone=b", ""},
		"by generation":                {karpenterPool("p", archBoth+", {key: karpenter.k8s.aws/instance-generation, operator: Gt, values: ['2']}", ""), "karpenter.k8s.aws/instance-generation=2", ""},
		"by another generation":        {karpenterPool("p", archBoth+", {key: karpenter.k8s.aws/instance-generation, operator: Gt, values: ['2']}", ""), "karpenter.k8s.aws/instance-generation>6", both},
		"by its node class":            {karpenterPool("p", archBoth, ""), "karpenter.k8s.aws/ec2nodeclass=default", both},

		"static":    {karpenterPool("p", archBoth, "replicas: 3"), "", "out: 0+1 linux/amd64 static, so that it makes no nodes for pods that wait (NodePool p)\nout: 0+1 linux/arm64 static, so that it makes no nodes for pods that wait (NodePool p)"},
		"deleted":   {strings.Replace(karpenterPool("p", archBoth, ""), "metadata: {name", `metadata: {deletionTimestamp: "2026-01-01T00:00:00Z", name`, 1), "", "out: 0+1 linux/amd64 being deleted (NodePool p)\nout: 0+1 linux/arm64 being deleted (NodePool p)"},
		"not ready": {strings.Replace(karpenterPool("p", archBoth, ""), `"True"`, "Unknown", 1), "", "out: 0+1 linux/amd64 not ready (NodePool p)\nout: 0+1 linux/arm64 not ready (NodePool p)"},
		"new":       {strings.Replace(karpenterPool("p", archBoth, ""), "type: Ready", "type: NodeClassReady", 1), "", "out: 0+1 linux/amd64 not ready (NodePool p)\nout: 0+1 linux/arm64 not ready (NodePool p)"},
		"v1beta1":   {strings.NewReplacer("/v1\nkind: NodePool", "/v1beta1\nkind: NodePool", "status: {", "x: {", "{group: karpenter.k8s.aws, ", "{apiVersion: karpenter.k8s.aws/v1beta1, ").Replace(karpenterPool("p", archBoth, "")) + nodeClassOf(alias, amiArm), "", "linux/arm64 0+1\nout: 0+1 linux/amd64 without an image in its node class (NodePool p)"},

		"an image of one architecture": {karpenterPool("p", archBoth, "") + nodeClassOf(alias, amiArm), "", "linux/arm64 0+1\nout: 0+1 linux/amd64 without an image in its node class (NodePool p)"},
		"nothing said but images":      {karpenterPool("p", spot, "") + nodeClassOf(alias, amiArm), "", "linux/arm64 0+1\nnote: 0+1 linux/arm64 without a requirement on the architecture, counted by the images of its node class (NodePool p)"},
		"Windows":                      {karpenterPool("p", "{key: kubernetes.io/os, operator: In, values: [windows]}", "") + nodeClassOf("{amiSelectorTerms: [{alias: windows2022@latest}]}", ""), "", "note: 0+1 windows/amd64 without a requirement on the architecture, counted by the images of its node class (NodePool p)\nwindows/amd64 0+1"},
		"Windows by its class alone":   {karpenterPool("p", archBoth, "") + nodeClassOf("{amiFamily: Windows2022}", ""), "", "windows/amd64 0+1"},
		"Windows with Linux' images":   {karpenterPool("p", "{key: kubernetes.io/os, operator: In, values: [windows]}", "") + nodeClassOf(alias, amiAmd), "", "out: 0+1  whose node class is of another operating system than it asks for (NodePool p)"},
		"either system":                {karpenterPool("p", archBoth+", {key: kubernetes.io/os, operator: In, values: [linux, windows]}", ""), "", both + "\nout: 0+1 windows/amd64 if its node class is Windows', which is not known (NodePool p)"},

		"families":      {karpenterPool("p", "{key: karpenter.k8s.aws/instance-family, operator: In, values: [c7g, m7g]}", ""), "", "linux/arm64 0+1\nnote: 0+1 linux/arm64 without a requirement on the architecture, counted by the names of its instance types (NodePool p)"},
		"types":         {karpenterPool("p", archBoth+", {key: node.kubernetes.io/instance-type, operator: In, values: [m5.large, m5.xlarge]}", ""), "", "linux/amd64 0+1\nout: 0+1 linux/arm64 of no instance type that its requirements name (NodePool p)"},
		"types of both": {karpenterPool("p", archBoth+", {key: node.kubernetes.io/instance-type, operator: In, values: [m5.large, m6g.large]}", ""), "", both},
		"a type nobody publishes": {karpenterPool("p", "{key: node.kubernetes.io/instance-type, operator: In, values: [m5.large, secret]}", ""), "", both +
			"\nnote: 0+1 linux/amd64 without a requirement on the architecture, counted for amd64 and arm64 (NodePool p)\nnote: 0+1 linux/arm64 without a requirement on the architecture, counted for amd64 and arm64 (NodePool p)"},
		"Graviton": {karpenterPool("p", "{key: karpenter.k8s.aws/instance-cpu-manufacturer, operator: In, values: [aws]}", ""), "", "linux/arm64 0+1\nnote: 0+1 linux/arm64 without a requirement on the architecture, counted by the names of its instance types (NodePool p)"},
	} {
		t.Run(name, func(t *testing.T) {
			f := Filter{}
			if c.selector != "" {
				f.Selector = selector(t, c.selector)
			}
			pools(t, c.want, serve(t, nil, c.objects), f)
		})
	}
}

// The alpha form, https://karpenter.sh/v0.32/concepts/provisioners/, in a
// cluster whose group prefers a version without it.
func TestProvisioners(t *testing.T) {
	s := serve(t, map[string]string{"karpenter.sh": "v1beta1,v1alpha5"}, `apiVersion: karpenter.sh/v1alpha5
kind: Provisioner
metadata: {name: default}
spec:
  labels: {billing-team: my-team}
  requirements: [{key: kubernetes.io/arch, operator: In, values: [arm64, amd64]}]
  taints: [{key: example.com/special-taint, effect: NoSchedule}]
  providerRef: {name: default}
---
apiVersion: karpenter.sh/v1alpha5
kind: Provisioner
metadata: {name: plain}
spec: {requirements: [{key: karpenter.sh/capacity-type, operator: In, values: [spot]}]}
---
apiVersion: karpenter.sh/v1alpha5
kind: Provisioner
metadata: {name: full}
spec: {limits: {resources: {cpu: "0"}}}
`)
	pools(t, `linux/amd64 0+1
note: 0+1 linux/amd64 without a requirement on the architecture, counted for amd64 (Provisioner plain)
out: 0+1 linux/amd64 limited to no cpu (Provisioner full)
out: 0+1 linux/amd64 tainted example.com/special-taint:NoSchedule (Provisioner default)
out: 0+1 linux/arm64 tainted example.com/special-taint:NoSchedule (Provisioner default)`, s, Filter{})
}

// Line 9: https://cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes.
func TestComputeClasses(t *testing.T) {
	s := serve(t, nil, `kind: Node
metadata: {name: gke-a, labels: {kubernetes.io/os: linux, kubernetes.io/arch: amd64, cloud.google.com/gke-nodepool: default-pool}}
---
apiVersion: cloud.google.com/v1
kind: ComputeClass
metadata: {name: cost-optimized}
spec:
  priorities: [{machineFamily: n4, spot: true}, {machineType: c4a-standard-8}, {spot: true}]
  nodePoolAutoCreation: {enabled: true}
  whenUnsatisfiable: DoNotScaleUp
---
apiVersion: cloud.google.com/v1
kind: ComputeClass
metadata: {name: manual}
spec: {priorities: [{nodepools: [arm-pool]}]}
`)
	manual := "\nout: 0+1  that takes nodes of node pools, whose machines no object in the cluster tells (ComputeClass manual)"
	chooses := "\nout: 0+1  that names no machine in some of its priorities, so that GKE chooses (ComputeClass cost-optimized)"
	tainted := "tainted cloud.google.com/compute-class=cost-optimized:NoSchedule (ComputeClass cost-optimized)"
	pools(t, "linux/amd64 1"+chooses+manual+"\nout: 0+1 linux/amd64 "+tainted+"\nout: 0+1 linux/arm64 "+tainted, s, Filter{})
	pools(t, "linux/amd64 0+1\nlinux/arm64 0+1 kubernetes.io/arch=arm64:NoSchedule\nnote: 0+1 linux/amd64 by the names of its machines (ComputeClass cost-optimized)\nnote: 0+1 linux/arm64 by the names of its machines (ComputeClass cost-optimized)"+chooses,
		s, Filter{Selector: selector(t, "cloud.google.com/compute-class=cost-optimized")})
	survey, err := open(t, s, nil).Survey(context.Background(), Query{NodePools: true})
	if err != nil || len(survey.Unknown) != 1 || !strings.HasPrefix(survey.Unknown[0], "GKE: node pools at zero and node auto-provisioning are no objects") {
		t.Errorf("%v, %q", err, survey.Unknown)
	}
}

// Line 1: a kind that is served and cannot be read is a warning, unless none can.
func TestPoolsThatCannotBeRead(t *testing.T) {
	s := serve(t, nil, karpenterPool("p", archBoth, "")+capi("arm", "x", "")+nodeClassOf(alias, amiArm))
	for path, want := range map[string]string{
		"/apis/cluster.x-k8s.io/v1beta2/machinedeployments": "reading Cluster API MachineDeployments of test: 403 Forbidden: no; going on without them",
		"/apis/cluster.x-k8s.io/v1beta2":                    "reading the API group cluster.x-k8s.io of test: 403 Forbidden: no; going on without them",
		"/apis/karpenter.k8s.aws/v1/ec2nodeclasses":         "reading Karpenter's EC2NodeClass objects of test: 403 Forbidden: no; going on without them",
	} {
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == path {
				clustertest.Refuse(w, 403, "Forbidden", "no")
			}
			return r.URL.Path == path
		}
		survey, err := open(t, s, nil).Survey(context.Background(), Query{NodePools: true})
		if err != nil || len(survey.Warnings) == 0 || survey.Warnings[0] != want || len(survey.Offers) != 1+strings.Count(path, "ec2") {
			t.Errorf("%s: %v, %+v", path, err, survey)
		}
	}
	s.Before = nil
	s.Objects[nodePools] = append(s.Objects[nodePools], map[string]any{"kind": "NodePool", "metadata": map[string]any{"name": "odd"}, "spec": "x"})
	survey, err := open(t, s, nil).Survey(context.Background(), Query{NodePools: true})
	if err != nil || len(survey.Warnings) != 1 || !strings.HasPrefix(survey.Warnings[0], "reading NodePool odd: json: cannot unmarshal string") {
		t.Errorf("%v, %+v", err, survey)
	}
}

// Line 10: files, in all the forms that people make.
func TestPoolsFromFiles(t *testing.T) {
	node := `{"apiVersion":"v1","kind":"Node","metadata":{"name":"a","labels":{"kubernetes.io/os":"linux","kubernetes.io/arch":"amd64"}}}`
	pool := `{"apiVersion":"karpenter.sh/v1","kind":"NodePool","metadata":{"name":"p"},"spec":{"template":{"spec":{"requirements":[{"key":"kubernetes.io/arch","operator":"In","values":["arm64"]}]}}}}`
	other := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"}}`
	bare := `{"metadata":{"name":"a","labels":{"kubernetes.io/os":"linux","kubernetes.io/arch":"amd64"}}}`
	want := "linux/amd64 1\nlinux/arm64 0+1"
	for name, in := range map[string]string{
		"a list of kubectl":    `{"apiVersion":"v1","kind":"List","items":[` + node + `,` + pool + `,` + other + `]}`,
		"an array of jq":       `[` + node + `,` + pool + `]`,
		"items of jq":          node + "\n" + pool + "\n" + other,
		"without a kind":       `{"items":[` + bare + `,` + pool + `]}`,
		"an array of lists":    `[{"kind":"NodeList","items":[` + bare + `]},{"kind":"List","items":[` + pool + `]}]`,
		"YAML":                 "apiVersion: v1\nkind: List\nitems:\n- " + node + "\n- " + pool + "\n",
		"documents in YAML":    "---\n" + strings.ReplaceAll(node, "{\"apiVersion", "{ \"apiVersion") + "\n---\n# none\n---\n" + pool,
		"a list behind a pool": pool + `{"kind":"NodeList","items":[` + bare + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := &File{Path: "-", Stdin: strings.NewReader(in)}
			survey, err := f.Survey(context.Background(), Query{NodePools: true})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, words(survey)); d != "" {
				t.Error(d)
			}
		})
	}
	survey, err := (&File{Path: "-", Stdin: strings.NewReader(pool)}).Survey(context.Background(), Query{NodePools: true})
	if err != nil || words(survey) != "linux/arm64 0+1" {
		t.Errorf("pools alone: %v, %+v", err, survey)
	}
	if _, err := (&File{Path: "-", Stdin: strings.NewReader(pool)}).Survey(context.Background(), Query{}); err == nil {
		t.Error("pools alone, and nobody asked for them")
	}
}

// Line 11: taints that their owners take off a node that starts.
func TestStartingNodes(t *testing.T) {
	for _, taint := range []string{
		"node.cilium.io/agent-not-ready=true:NoExecute", "ebs.csi.aws.com/agent-not-ready:NoExecute", "karpenter.sh/unregistered:NoExecute",
		"node.cluster.x-k8s.io/uninitialized:NoSchedule", "node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule", "readiness.k8s.io/gpu:NoSchedule",
	} {
		s := clustertest.Start(t, clustertest.Node("a", "linux", "arm64", clustertest.Taint(taint)))
		if d := cmp.Diff("linux/arm64 1\nnote: 1 linux/arm64 starting (a)", ask(t, s, Query{})); d != "" {
			t.Error(taint, d)
		}
		if d := cmp.Diff("out: 1 linux/arm64 starting (a)", ask(t, s, Query{Filter: Filter{ReadyOnly: true}})); d != "" {
			t.Error(taint, d)
		}
	}
	s := clustertest.Start(t, clustertest.Node("w", "windows", "amd64", clustertest.Taint("node.kubernetes.io/os=windows:NoSchedule")))
	if d := cmp.Diff("windows/amd64 1 node.kubernetes.io/os=windows:NoSchedule", ask(t, s, Query{})); d != "" {
		t.Error(d)
	}
}
