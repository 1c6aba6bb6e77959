package cluster

import (
	"regexp"
	"strings"
)

// instanceLabel is the label that every cloud sets on its nodes.
const instanceLabel = "node.kubernetes.io/instance-type"

// The architecture is part of the clouds' names for their machines.
var (
	// A family is letters, a generation and attributes, of which g is Graviton:
	// https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
	awsFamily = regexp.MustCompile(`^[a-z]+[0-9]([a-z]*)(-[a-z0-9]+)?$`)
	// p among the small letters is an Arm processor:
	// https://learn.microsoft.com/azure/virtual-machines/vm-naming-conventions
	azureSize = regexp.MustCompile(`^Standard_[A-Z]+[0-9]+(?:-[0-9]+)?([a-z]*)(_[A-Za-z0-9_]+)?$`)
	// https://cloud.google.com/compute/docs/machine-resource
	googleFamily = regexp.MustCompile(`^[a-z][0-9][a-z]?$`)
)

// googleArm are Google's machine series with Arm processors.
// https://cloud.google.com/compute/docs/instances/arm-on-compute
var googleArm = map[string]bool{"a4x": true, "c4a": true, "n4a": true, "t2a": true}

// archOfInstance returns the architecture of a cloud's machine by its
// published name (m7g.large, Standard_D4ps_v5, c4a-standard-8), or of a family
// of such machines (m7g, c4a); "" if the name tells nothing.
func archOfInstance(name string) string {
	if m := azureSize.FindStringSubmatch(name); m != nil {
		return armIf(strings.Contains(m[1], "p") || strings.Contains(m[2], "_GB200") || strings.Contains(m[2], "_GB300"))
	}
	family, _, sized := strings.Cut(name, ".")
	if series, _, _ := strings.Cut(name, "-"); !sized && googleFamily.MatchString(series) {
		if googleArm[series] {
			return "arm64"
		}
		family = series // Amazon has no such families, or means the same by them
	}
	m := awsFamily.FindStringSubmatch(family)
	switch {
	case m == nil, strings.HasPrefix(family, "mac"):
		return ""
	case strings.HasPrefix(m[2], "-gb"): // Grace is an Arm processor too
		return "arm64"
	}
	return armIf(family == "a1" || strings.HasPrefix(m[1], "g"))
}

func armIf(arm bool) string {
	if arm {
		return "arm64"
	}
	return "amd64"
}
