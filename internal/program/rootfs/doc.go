// Package rootfs keeps what matters of an image's layers for starting programs,
// and answers what stands at a path, as the kernel would see it once a runtime
// has put the layers together.
package rootfs
