// Package pod holds the fields of a Kubernetes PodSpec that decide on which
// nodes a Pod may run, with the lines they stand on. Field names follow
// k8s.io/api/core/v1; a field that does not matter here is not here.
package pod
