package cluster

import (
	"slices"
	"strings"
)

// Taint keys with a meaning of their own.
// https://kubernetes.io/docs/reference/labels-annotations-taints/
const (
	virtualTaint  = "virtual-kubelet.io/provider"
	virtualLabel  = "type" // with virtualValue
	virtualValue  = "virtual-kubelet"
	cordonedTaint = "node.kubernetes.io/unschedulable"
)

// passingTaints come and go by themselves: with a node's health, or while it
// starts, until the program that owns them removes them.
var passingTaints = map[string]string{
	"node.kubernetes.io/not-ready":                   notReady,
	"node.kubernetes.io/unreachable":                 notReady,
	"node.kubernetes.io/network-unavailable":         "without network",
	"node.kubernetes.io/memory-pressure":             "short of memory",
	"node.kubernetes.io/disk-pressure":               "short of disk",
	"node.kubernetes.io/pid-pressure":                "short of process ids",
	"node.cloudprovider.kubernetes.io/uninitialized": starting, // https://kubernetes.io/docs/tasks/administer-cluster/running-cloud-controller/
	"node.cluster.x-k8s.io/uninitialized":            starting, // https://cluster-api.sigs.k8s.io/developer/providers/contracts/bootstrap-config#taint-nodes-at-creation
	"karpenter.sh/unregistered":                      starting, // https://karpenter.sh/docs/concepts/nodepools/#specstartuptaints
	"node.cilium.io/agent-not-ready":                 starting, // https://docs.cilium.io/en/stable/installation/taints/
	"ebs.csi.aws.com/agent-not-ready":                starting, // https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/install.md
	"efs.csi.aws.com/agent-not-ready":                starting, // https://github.com/kubernetes-sigs/aws-efs-csi-driver/blob/master/docs/README.md
	"fsx.csi.aws.com/agent-not-ready":                starting,
	"cni.istio.io/not-ready":                         starting, // https://istio.io/latest/docs/setup/additional-setup/cni/
}

// passingPrefixes are of taints whose owners choose the rest of the key.
var passingPrefixes = []string{
	"readiness.k8s.io/", // https://kubernetes.io/blog/2026/02/03/introducing-node-readiness-controller/
	"startup-taint.cluster-autoscaler.kubernetes.io/",
	"status-taint.cluster-autoscaler.kubernetes.io/",
	"ignore-taint.cluster-autoscaler.kubernetes.io/",
}

const (
	notReady = "not ready"
	starting = "starting"
)

// passing returns what a taint that goes away by itself says about a node, or
// "".
func passing(key string) string {
	if s := passingTaints[key]; s != "" {
		return s
	}
	if slices.ContainsFunc(passingPrefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
		return starting
	}
	return ""
}

// ofPlatform reports whether a taint keeps away pods that are not built for the
// node's platform: GKE's on arm64, and many on Windows.
func ofPlatform(key string) bool {
	switch key {
	case archLabel, osLabel, "node.kubernetes.io/os", "node.kubernetes.io/arch":
		return true
	}
	return false
}
