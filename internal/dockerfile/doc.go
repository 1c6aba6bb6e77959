// Package dockerfile says which images of registries a build of a Dockerfile
// reads: the bases of the stages that its target needs, and what they copy or
// mount from. It reads the language with BuildKit's own parser
// (github.com/moby/buildkit, frontend/dockerfile) and only the instructions
// that name images, so what a builder adds to the others is no error.
//
// What a stranger may have written has a bound: MaxSize.
package dockerfile
