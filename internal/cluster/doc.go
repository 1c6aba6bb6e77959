// Package cluster finds out which platforms a workload can run on: from a
// file with nodes, or from a Kubernetes API server.
//
// It speaks HTTP to the server itself, with client-go's kubeconfig and
// credentials but without its typed clients, and decodes answers as a stream:
// it needs only a few words of a node of 17 KB.
//
// Nodes are judged by a Filter and added up by a tally to a Survey. Pools of
// nodes, which may have none now, are read by one file for each provider
// (karpenter.go, machines.go, gke.go) and judged by the same Filter.
package cluster
