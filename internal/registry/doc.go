// Package registry speaks the OCI distribution protocol
// (github.com/opencontainers/distribution-spec, v1.1) with as few round trips
// as it allows: no ping where none is needed, one token for all that a run
// does at a host, everything that is independent in parallel.
//
// What a registry sends is not trusted: bodies are bounded, digests and sizes
// are checked, credentials go to the host they are for and to no other.
package registry
