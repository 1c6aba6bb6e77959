package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/text"
)

// Names of `go tool dist list`, with those that the OCI image specification
// and Linux distributions use beyond it.
var (
	operatingSystems = []string{"aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd", "plan9", "solaris", "wasip1", "windows"}
	architectures    = []string{"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x", "sparc64", "wasm"}

	// Variants: OCI image-spec image-index.md (arm), containerd's platforms
	// package, and Go's GOAMD64, GOARM64, GOPPC64, GORISCV64.
	variants = map[string][]string{
		"amd64":   {"v1", "v2", "v3", "v4"},
		"arm":     {"v5", "v6", "v7", "v8"},
		"arm64":   {"v8", "v8.0", "v8.1", "v8.2", "v8.3", "v8.4", "v8.5", "v8.6", "v8.7", "v8.8", "v8.9", "v9", "v9.0", "v9.1", "v9.2", "v9.3", "v9.4", "v9.5"},
		"ppc64le": {"power8", "power9", "power10"},
		"riscv64": {"rva20u64", "rva22u64", "rva23u64"},
	}

	osAliases = map[string]string{"macos": "darwin", "mac": "darwin", "win": "windows"}

	// archAliases map a name to an architecture and a variant: uname -m,
	// Debian, Rust, and Docker's historical repositories.
	archAliases = map[string][2]string{
		"x86_64": {"amd64"}, "x86-64": {"amd64"}, "x64": {"amd64"},
		"i386": {"386"}, "i486": {"386"}, "i586": {"386"}, "i686": {"386"}, "x86": {"386"},
		"aarch64": {"arm64"}, "arm64v8": {"arm64"},
		"armhf": {"arm", "v7"}, "armv7": {"arm", "v7"}, "armv7l": {"arm", "v7"}, "armv7hf": {"arm", "v7"}, "arm32v7": {"arm", "v7"},
		"armel": {"arm", "v6"}, "armv6": {"arm", "v6"}, "armv6l": {"arm", "v6"}, "arm32v6": {"arm", "v6"},
		"arm32v5": {"arm", "v5"}, "armv5": {"arm", "v5"},
		"ppc64el": {"ppc64le"}, "powerpc64le": {"ppc64le"},
		"loongarch64": {"loong64"}, "riscv": {"riscv64"},
		"mips64el": {"mips64le"}, "mipsel": {"mipsle"},
	}
)

// Common returns the platforms that images are published for, as lists of
// official images have them, for the completion of shells.
func Common() []string {
	return []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/386", "linux/ppc64le", "linux/riscv64", "linux/s390x", "linux/loong64", "windows/amd64", "windows/arm64"}
}

// An UnknownError is a name that is no platform's.
type UnknownError struct {
	Input   string // the whole platform as it was given
	Part    string // "architecture", "operating system", "variant of arm"
	Name    string // the part that is unknown
	Nearest string // the nearest known name; empty when none is near
	Known   []string
}

func (e *UnknownError) Error() string {
	s := fmt.Sprintf("parsing platform %q: unknown %s %q", e.Input, e.Part, e.Name)
	if e.Nearest != "" {
		return s + fmt.Sprintf("; did you mean %q?", e.Nearest)
	}
	return s + "; known are " + strings.Join(e.Known, ", ")
}

func known(names []string, s string) bool { return slices.Contains(names, s) }

func isOS(s string) bool { return known(operatingSystems, osName(s)) }

func isArch(s string) bool {
	a, _ := archName(s)
	return known(architectures, a)
}

func osName(s string) string {
	if a, ok := osAliases[s]; ok {
		return a
	}
	return s
}

func archName(s string) (arch, variant string) {
	if a, ok := archAliases[s]; ok {
		return a[0], a[1]
	}
	return s, ""
}

func archAliasNames() map[string]string {
	m := map[string]string{}
	for k, v := range archAliases {
		m[k] = Platform{Arch: v[0], Variant: v[1]}.String()[1:]
	}
	return m
}

func isVariant(arch, v string) bool {
	v = strings.TrimPrefix(v, "v")
	return slices.ContainsFunc(variants[arch], func(k string) bool { return strings.TrimPrefix(k, "v") == v })
}

// normalVariant drops the variant that is the architecture's base line, which
// images state or leave out at random, and adds a missing "v".
func normalVariant(arch, v string) string {
	if v == "" {
		return ""
	}
	if v[0] >= '0' && v[0] <= '9' {
		v = "v" + v
	}
	if arch == "arm64" {
		v = strings.TrimSuffix(v, ".0")
	}
	if arch == "arm64" && v == "v8" || arch == "amd64" && v == "v1" {
		return ""
	}
	return v
}

func unknown(input, part, name string, names []string, aliases map[string]string) *UnknownError {
	candidates := slices.Concat(names, slices.Sorted(maps.Keys(aliases)))
	nearest := text.Nearest(name, candidates)
	if means, ok := aliases[nearest]; ok {
		nearest = means
	}
	return &UnknownError{Input: input, Part: part, Name: name, Nearest: nearest, Known: names}
}
