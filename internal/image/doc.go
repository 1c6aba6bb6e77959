// Package image reads images and indexes of images as registries and layouts
// store them (github.com/opencontainers/image-spec v1.1; Docker's schema 2).
// It is the one place that says which entry of an index is an image to run,
// what an attestation, and what neither.
//
// Whoever made an image decides its bytes, so what is read has a Budget.
package image
