// Package index makes one image index of the images that were built for each
// platform, and puts it where it can be pulled from.
//
// Data takes one way through it, a file and a type for each step:
//
//	source.go     what a user wrote             → Source
//	read.go       Source                        → reading: manifests, configs, programs as they are
//	check.go      []reading                     → []*child: an image whose platform is settled
//	compute.go    []*child, Options             → the bytes of the index
//	transfer.go   blobs and manifests           → to a target that lacks them
//	attach.go     files                         → what refers to the images and the index, before a gate is asked
//	publish.go    the index                     → named by its tags
//
// Nobody who pulls a tag sees any of it before the last step.
package index
