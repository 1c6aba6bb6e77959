package cluster

// Taint keys with a meaning of their own.
// https://kubernetes.io/docs/reference/labels-annotations-taints/
const (
	virtualTaint  = "virtual-kubelet.io/provider"
	virtualLabel  = "type" // with virtualValue
	virtualValue  = "virtual-kubelet"
	cordonedTaint = "node.kubernetes.io/unschedulable"
)

// conditionTaints come and go with a node's health, by Kubernetes itself.
var conditionTaints = map[string]string{
	"node.kubernetes.io/not-ready":                   "not ready",
	"node.kubernetes.io/unreachable":                 "not ready",
	"node.kubernetes.io/network-unavailable":         "without network",
	"node.kubernetes.io/memory-pressure":             "short of memory",
	"node.kubernetes.io/disk-pressure":               "short of disk",
	"node.kubernetes.io/pid-pressure":                "short of process ids",
	"node.cloudprovider.kubernetes.io/uninitialized": "starting",
}
