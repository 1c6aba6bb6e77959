package platform

import (
	"fmt"
	"strings"
)

// A Platform is what an image is built for and what a node runs. Parse and
// FromConfig return it in normalised form, so that == compares platforms.
type Platform struct {
	OS      string // "linux", "windows", …; never empty
	Arch    string // "amd64", "arm64", "arm", …; never empty
	Variant string // "v7", "v3", … or empty
}

// String returns os/arch or os/arch/variant.
func (p Platform) String() string {
	if p.Variant == "" {
		return p.OS + "/" + p.Arch
	}
	return p.OS + "/" + p.Arch + "/" + p.Variant
}

// Slug returns the platform in a form that fits into an image tag, a file name
// or a job name: linux_arm_v7. It is the suffix of a per-platform tag.
func (p Platform) Slug() string { return strings.ReplaceAll(p.String(), "/", "_") }

// Node returns the platform as a node's labels can state it: there is a label
// for the operating system and one for the architecture, none for the variant.
func (p Platform) Node() Platform { return Platform{OS: p.OS, Arch: p.Arch} }

// Covers reports whether an image for q is what somebody asking for p wants:
// the same, or more exact where p leaves the variant open.
func (p Platform) Covers(q Platform) bool {
	return p.OS == q.OS && p.Arch == q.Arch && (p.Variant == "" || p.Variant == q.Variant)
}

// Runs reports whether p runs an image for q: of its own variant or an older
// one. A variant that p leaves open is any.
func (p Platform) Runs(q Platform) bool {
	return p.OS == q.OS && p.Arch == q.Arch && (p.Variant == "" || q.Variant <= p.Variant)
}

// Compare orders platforms by operating system, architecture and variant.
func (p Platform) Compare(q Platform) int {
	if c := strings.Compare(p.OS, q.OS); c != 0 {
		return c
	}
	if c := strings.Compare(p.Arch, q.Arch); c != 0 {
		return c
	}
	return strings.Compare(p.Variant, q.Variant)
}

// Parse reads os/arch[/variant]. A bare architecture means linux, on every
// host: a pipeline has to mean the same on a laptop and in CI. Aliases are
// normalised (x86_64 is amd64, aarch64 is arm64, armhf is arm/v7, arm64/v8 is
// arm64). An unknown name is an *UnknownError that suggests the nearest.
func Parse(s string) (Platform, error) {
	parts := strings.Split(strings.ToLower(strings.TrimSpace(s)), "/")
	switch {
	case len(parts) == 1 && parts[0] == "":
		return Platform{}, fmt.Errorf("parsing a platform: it is empty; write os/arch, for example linux/arm64")
	case len(parts) > 3:
		return Platform{}, fmt.Errorf("parsing platform %q: it has %d parts; write os/arch or os/arch/variant, for example linux/arm/v7", s, len(parts))
	case len(parts) == 1 || !isOS(parts[0]) && isArch(parts[0]):
		parts = append([]string{"linux"}, parts...)
	}
	if len(parts) > 3 {
		return Platform{}, fmt.Errorf("parsing platform %q: the operating system comes first; write os/arch or os/arch/variant", s)
	}
	p := Platform{OS: osName(parts[0])}
	if !known(operatingSystems, p.OS) {
		return Platform{}, unknown(s, "operating system", parts[0], operatingSystems, osAliases)
	}
	arch, variant := archName(parts[1])
	if !known(architectures, arch) {
		if len(parts) == 2 && parts[0] == "linux" && !strings.Contains(s, "/") && isOS(parts[1]) {
			return Platform{}, fmt.Errorf("parsing platform %q: it names an operating system alone; write %s/amd64", s, osName(parts[1]))
		}
		return Platform{}, unknown(s, "architecture", parts[1], architectures, archAliasNames())
	}
	p.Arch, p.Variant = arch, variant
	if len(parts) == 3 {
		v := parts[2]
		if variant != "" && normalVariant(arch, v) != variant {
			return Platform{}, fmt.Errorf("parsing platform %q: %s already means %s/%s, which contradicts %s", s, parts[1], arch, variant, v)
		}
		if !isVariant(arch, v) {
			return Platform{}, unknown(s, "variant of "+arch, v, variants[arch], nil)
		}
		p.Variant = normalVariant(arch, v)
	}
	return p, nil
}

// FromConfig returns the platform that an image's config, a descriptor or a
// node's labels state in separate fields. Names that polyarch does not know
// are kept as they are: what exists may be newer than this program. Fields
// that are empty or hold a slash, a blank or a control character are an error.
func FromConfig(os, arch, variant string) (Platform, error) {
	for _, f := range []string{os, arch, variant} {
		if strings.ContainsFunc(f, func(r rune) bool { return r <= ' ' || r == '/' || r == ',' || r == 0x7f || r >= 0x80 }) {
			return Platform{}, fmt.Errorf("reading platform: %q is not an operating system, architecture or variant", f)
		}
	}
	if os == "" || arch == "" {
		return Platform{}, fmt.Errorf("reading platform: operating system %q and architecture %q must both be set", os, arch)
	}
	a, v := archName(strings.ToLower(arch))
	if variant != "" {
		v = normalVariant(a, strings.ToLower(variant))
	}
	return Platform{OS: osName(strings.ToLower(os)), Arch: a, Variant: v}, nil
}
