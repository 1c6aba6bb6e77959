// Package program proves that an image's program will start on its platform,
// or says why it will not, or why that is not known.
//
// An image says in its config which platform it is for; nothing makes that
// true. A Dockerfile that compiles for the machine it is built on, or takes a
// base image of the wrong platform, produces an image that is labelled arm64
// and holds an amd64 program, and every builder exits 0. The same holds for a
// loader, a library or a version that is missing.
//
//	object/   what a program or library says of itself
//	rootfs/   what stands at a path once the layers are put together
//	loader/   what glibc's and musl's loaders find and refuse
//	start.go  what is started, followed through scripts, shells and launchers
//	all.go    every other program and library of the image
package program
