// Package policy writes the ConfigMaps that catalog/admission reads: for each
// namespace one, polyarch-platforms, that says which platforms images have. It
// is pure: no files, no network.
//
//	data:
//	  docker.io..library..nginx.-.1.27: linux/amd64,linux/arm64
//	  sha256-5f70…: linux/amd64,linux/arm64
//	  taints: kubernetes.io/arch=arm64:NoSchedule
//
// A key is a digest, with - for its colon, or HOST/PATH:TAG with .. for each
// slash and .-. for each colon, since keys of a ConfigMap take letters, digits,
// - _ and . alone. No path of a repository has .. or .-., so no two images have
// one key.
package policy
