// Package builders runs stitch-index with real builders, for two platforms, into a real registry, and
// then runs what is in the index.
//
// All of it runs in its own namespaces, without access to a network: what is started ends with the tests, what is
// mounted or written goes with them, and nothing can be fetched that is not there.
package builders
