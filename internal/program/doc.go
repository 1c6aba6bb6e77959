// Package program finds the program that an image starts and tells which
// platform it was built for.
//
// An image says in its config which platform it is for; nothing makes that
// true. A Dockerfile that compiles for the machine it is built on, or takes a
// base image of the wrong platform, gives an image that is labelled arm64 and
// holds an amd64 program, and every builder exits 0.
package program
