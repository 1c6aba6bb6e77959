// Package clustertest is a Kubernetes API server for tests that lists nodes
// and a few other things over the real protocol: selectors, pages, metadata
// alone, protobuf, gzip, and every way to refuse.
package clustertest
