// Package cluster brings up real Kubernetes clusters for tests, without a container engine or a
// virtual machine.
//
//   - [Shared] is a control plane whose nodes are objects only: for what reads nodes and for what
//     asks the scheduler. It starts in seconds and needs no privilege.
//   - [StartTwoArch] has two nodes, linux/amd64 and linux/arm64, whose pods run, and a registry;
//     InstallTekton adds Tekton. It needs root.
//
// Whatever is started ends with the process that started it, however that ends: children die by
// the kernel's parent-death signal, and a small shell that outlives us by a moment takes back the
// rest.
package cluster
