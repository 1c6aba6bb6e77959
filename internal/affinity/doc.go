// Package affinity works out what a Pod's node affinity lacks. It is pure: no
// files, no network.
//
// The law: for every node, allowed after = allowed before AND the node's
// platform is among those that all of the Pod's images have in common. A
// node's platform is what its labels kubernetes.io/os and kubernetes.io/arch
// say; the scheduler knows no other, so a variant (arm/v7) does not count.
// With Options.Levels, a node of linux/amd64 also needs the label that Node
// Feature Discovery gives to processors of the x86-64 level that all images run
// on.
package affinity
