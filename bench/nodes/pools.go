package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// deployment is a workload for one node of fifty.
const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      nodeSelector: {pool: web}
      containers: [{name: app, image: app, resources: {requests: {cpu: 500m, memory: 1Gi}}}]
`

// installPools adds to the cluster the definitions of Karpenter, Cluster API
// and OpenShift's machine API, and pools: as many as large clusters have.
func installPools(ctx context.Context, c *cluster.ControlPlane) error {
	var b strings.Builder
	for _, m := range tool.CRDs {
		documents, err := m.Read(ctx)
		if err != nil {
			return err
		}
		b.WriteString(documents)
	}
	for i := range 30 {
		fmt.Fprintf(&b, `apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: pool-%[1]d}
spec:
  template:
    spec:
      requirements: [{key: kubernetes.io/arch, operator: In, values: [amd64, arm64]}, {key: karpenter.sh/capacity-type, operator: In, values: [spot, on-demand]}]
      taints: [{key: team-%[1]d, effect: NoSchedule}]
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
---
apiVersion: machine.openshift.io/v1beta1
kind: MachineSet
metadata:
  name: set-%[1]d
  annotations: {machine.openshift.io/cluster-api-autoscaler-node-group-max-size: "12", capacity.cluster-autoscaler.kubernetes.io/labels: kubernetes.io/arch=arm64}
spec:
  replicas: 0
  selector: {matchLabels: {set: set-%[1]d}}
  template: {metadata: {labels: {set: set-%[1]d}}, spec: {providerSpec: {value: {instanceType: m6g.xlarge}}}}
---
`, i)
	}
	return c.ApplyDocuments(ctx, "default", b.String())
}
