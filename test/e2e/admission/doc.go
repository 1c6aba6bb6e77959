// Package admission_test holds catalog/admission against inject-affinity, the
// scheduler's code and the real API server.
package admission
