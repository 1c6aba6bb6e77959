package detect_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// template is a kind of Cluster API's infrastructure: each cloud has its own.
const template = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: e2emachinetemplates.infrastructure.cluster.x-k8s.io}
spec:
  group: infrastructure.cluster.x-k8s.io
  names: {plural: e2emachinetemplates, singular: e2emachinetemplate, kind: E2EMachineTemplate}
  scope: Namespaced
  versions:
  - {name: v1beta1, served: true, storage: false, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}, subresources: {status: {}}}
  - {name: v1beta2, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}, subresources: {status: {}}}
---
`

// pools are objects of every provider, as their projects' definitions demand them.
const pools = `apiVersion: karpenter.k8s.aws/v1
kind: EC2NodeClass
metadata: {name: arm}
spec:
  role: KarpenterNodeRole-e2e
  amiSelectorTerms: [{alias: al2023@latest}]
  subnetSelectorTerms: [{tags: {karpenter.sh/discovery: e2e}}]
  securityGroupSelectorTerms: [{tags: {karpenter.sh/discovery: e2e}}]
status:
  amis: [{id: ami-01234567890123456, name: custom-ami-arm64, requirements: [{key: kubernetes.io/arch, operator: In, values: [arm64]}]}]
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: graviton}
spec:
  template:
    metadata: {labels: {team: a}}
    spec:
      requirements: [{key: kubernetes.io/arch, operator: In, values: [amd64, arm64]}, {key: karpenter.sh/capacity-type, operator: In, values: [spot]}]
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: arm}
status: {nodes: 0, conditions: [{type: Ready, status: "True", reason: Ready, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]}
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: unready}
spec:
  template:
    spec:
      requirements: [{key: kubernetes.io/arch, operator: In, values: [s390x]}]
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: gone}
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineDeployment
metadata:
  name: power
  annotations: {cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size: "0", cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size: "5"}
spec:
  clusterName: e2e
  replicas: 0
  selector: {matchLabels: {pool: power}}
  template:
    metadata: {labels: {pool: power}}
    spec: {clusterName: e2e, bootstrap: {dataSecretName: x}, infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: E2EMachineTemplate, name: power}}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: E2EMachineTemplate
metadata: {name: power}
spec: {template: {spec: {}}}
status: {capacity: {cpu: "8", memory: 32Gi}, nodeInfo: {architecture: ppc64le, operatingSystem: linux}}
---
apiVersion: cluster.x-k8s.io/v1beta1
kind: MachineDeployment
metadata:
  name: tenants
  annotations: {cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size: "5", capacity.cluster-autoscaler.kubernetes.io/labels: kubernetes.io/arch=riscv64}
spec:
  clusterName: tenant
  selector: {matchLabels: {pool: tenants}}
  template:
    metadata: {labels: {pool: tenants}}
    spec: {clusterName: tenant, bootstrap: {dataSecretName: x}, infrastructureRef: {apiVersion: infrastructure.cluster.x-k8s.io/v1beta1, kind: E2EMachineTemplate, name: tenants}}
---
apiVersion: machine.openshift.io/v1beta1
kind: MachineSet
metadata:
  name: worker-arm
  annotations: {machine.openshift.io/vCPU: "4", machine.openshift.io/memoryMb: "16384", machine.openshift.io/cluster-api-autoscaler-node-group-max-size: "12", capacity.cluster-autoscaler.kubernetes.io/labels: kubernetes.io/arch=arm64}
spec:
  replicas: 0
  selector: {matchLabels: {machine.openshift.io/cluster-api-machineset: worker-arm}}
  template:
    metadata: {labels: {machine.openshift.io/cluster-api-machineset: worker-arm}}
    spec: {metadata: {labels: {ocp: "yes"}}, taints: [{key: kubernetes.io/arch, value: arm64, effect: NoSchedule}], providerSpec: {value: {instanceType: m6g.xlarge}}}
`

func TestNodePools(t *testing.T) {
	c := cluster.Shared(t)
	binary := tool.Ours(t, "detect-arch")
	amd := cluster.Node("amd", "linux", "amd64")
	amd.Annotations = map[string]string{"cluster.x-k8s.io/cluster-name": "e2e", "cluster.x-k8s.io/cluster-namespace": "default"}
	c.SetNodes(t, amd)
	// The group prefers v1, which has no MachineSets, as on OpenShift since 4.12.
	definitions := template
	for _, m := range tool.CRDs {
		text, err := m.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		definitions += text
	}
	c.Apply(t, "default", definitions)
	c.ApplyStatus(t, "default", pools)
	want := outcome{0, "linux/amd64,linux/arm64,linux/ppc64le", `detect-arch: e2e: 1 node on linux/amd64, 2 node pools on linux/arm64, 1 node pool on linux/ppc64le
detect-arch: e2e: left out: 1 node pool on linux/amd64 without an image in its node class (NodePool graviton)
detect-arch: e2e: left out: 1 node pool on linux/riscv64 of another cluster, tenant (MachineDeployment tenants)
detect-arch: e2e: left out: 1 node pool on linux/s390x not ready (NodePool unready)
`}
	if d := cmp.Diff(want, detect(t, binary, c.Kubeconfig, "--node-pools")); d != "" {
		t.Error(d)
	}
	for args, want := range map[string]string{
		"":                                   "linux/amd64",
		"--node-pools --selector team=a":     "linux/arm64",
		"--node-pools --selector ocp=yes":    "linux/arm64",
		"--node-pools --ready-only":          "linux/amd64,linux/arm64,linux/ppc64le",
		"--node-pools --among linux/ppc64le": "linux/ppc64le",
	} {
		if got := detect(t, binary, c.Kubeconfig, append(strings.Fields(args), "--quiet")...); got != (outcome{0, want, ""}) {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if got := detect(t, binary, c.Kubeconfig, "--node-pools", "--quiet", "--selector", "team=b"); got.Code != 3 {
		t.Errorf("%+v", got)
	}
	fromFile(t, c, binary)
	rights(t, c, binary)
}

// fromFile gets the same answer from kubectl's output.
func fromFile(t *testing.T, c *cluster.ControlPlane, binary string) {
	get := exec.Command(tool.Build(t, tool.Kubectl), "--kubeconfig", c.Kubeconfig, "get", "-A", "-o", "json",
		"nodes,nodepools,ec2nodeclasses,machinedeployments.cluster.x-k8s.io,machinesets.machine.openshift.io,e2emachinetemplates")
	objects, err := get.Output()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "--from-file", "-", "--node-pools", "--quiet")
	cmd.Stdin = strings.NewReader(string(objects))
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "linux/amd64,linux/arm64,linux/ppc64le\n" {
		t.Errorf("%v, %s", err, out)
	}
}

// rights: without any of them it is code 4, and the hint's role is enough; some
// of them are a warning for the rest.
func rights(t *testing.T, c *cluster.ControlPlane, binary string) {
	list := func(group string, resources ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: []string{"list"}}
	}
	nodes := c.User(t, "detect-nodes-only", list("", "nodes"))
	got := detect(t, binary, nodes, "--node-pools")
	if got.Code != 4 || !strings.Contains(got.Errors, "reading Karpenter NodePools of e2e: 403 Forbidden") {
		t.Fatalf("%+v", got)
	}
	some := c.User(t, "detect-some", list("", "nodes"), list("karpenter.sh", "nodepools"), list("karpenter.k8s.aws", "ec2nodeclasses"))
	got2 := detect(t, binary, some, "--node-pools")
	if got2.Code != 0 || got2.Out != "linux/amd64,linux/arm64" || !strings.Contains(got2.Errors, "warning: reading Cluster API MachineDeployments of e2e: 403 Forbidden") || !strings.Contains(got2.Errors, "going on without them") {
		t.Errorf("%+v", got2)
	}
	_, role, _ := strings.Cut(got.Errors, "an administrator allows it with this role: ")
	role, bind, _ := strings.Cut(role, "\n")
	c.Apply(t, "default", strings.Replace(role, "name: detect-arch}", "name: detect-pools}", 1))
	_, bind, _ = strings.Cut(bind, "kubectl ")
	bind = strings.NewReplacer("clusterrolebinding detect-arch", "clusterrolebinding detect-pools", "--clusterrole=detect-arch", "--clusterrole=detect-pools").Replace(bind)
	kubectl := exec.Command("bash", "-c", tool.Build(t, tool.Kubectl)+" --kubeconfig "+c.Kubeconfig+" "+bind)
	if out, err := kubectl.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var all outcome
	for try := 0; ; try++ { // the authorizer watches roles
		if all = detect(t, binary, nodes, "--quiet", "--node-pools"); all.Code == 0 && all.Errors == "" || try == 50 {
			break
		}
	}
	if all != (outcome{0, "linux/amd64,linux/arm64,linux/ppc64le", ""}) {
		t.Errorf("%+v", all)
	}
}
