// Package verify looks into the layers of images for programs that cannot start
// on the images' platforms, or are for others. It reads as few layers as it can,
// each once, from wherever its caller says, also while they are copied.
package verify
