package pod

import "strconv"

// MaxLevel is the highest x86-64 level of the psABI.
const MaxLevel = 4

// LevelLabel returns the label of nodes that have an x86-64 level, 1 to
// MaxLevel. Node Feature Discovery gives it since v0.19, with the value "true",
// for each level up to the processor's own (kubernetes-sigs/node-feature-discovery,
// docs/usage/features.md).
func LevelLabel(level int) string {
	return "feature.node.kubernetes.io/cpu-cpuid.X86_64_V" + strconv.Itoa(level)
}
