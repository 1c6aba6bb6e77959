// Package platform holds the one string that polyarch's binaries pass to each
// other: a platform, written os/arch[/variant].
//
// Names are those of Go's GOOS and GOARCH, which the OCI image specification
// and Kubernetes' node labels use as well. It depends on no package outside
// the standard library and this module's text helpers.
package platform
