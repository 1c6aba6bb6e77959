// Package sbom reads from a software bill of materials which architectures its
// packages are for.
package sbom
