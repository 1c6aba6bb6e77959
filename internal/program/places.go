package program

import (
	"path"
	"regexp"
	"strings"
)

// words are names of operating systems, architectures and C libraries as
// ecosystems write them into paths: npm's prebuilds/linux-arm64 and
// @esbuild/linux-x64, jars' native/Linux/aarch64, wheels'
// .cpython-312-aarch64-linux-gnu.so, .NET's runtimes/linux-arm64/native, Rust's
// and Go's triplets, JNA's linux-x86-64.
var words = regexp.MustCompile(`(?i)^(` + strings.Join([]string{
	`x86[-_]64`, `x86`, `x64`, `amd64`, `ia32`, `i[3-6]86`, `386`, `win(dows|32|64)?`, `aarch[-_]?64`, `arm64(ec)?`, `armv?[5-8]?(l|hf|el|eabihf|eabi)?`, `arm[-_]?32`,
	`ppc64(le|el)?`, `powerpc(64)?(le)?`, `s390x`, `riscv(32|64)(gc)?`, `loong(arch)?64`, `mips(64)?(le|el)?(r6)?`, `sparc(v9|64)?`, `universal2?`, `64`, `32`, `any`,
	`linux(32|64)?(musl|glibc)?`, `darwin`, `mac(os)?(x)?`, `osx`, `freebsd`, `openbsd`, `netbsd`, `dragonfly`, `sunos`, `solaris`, `aix`, `android`, `ios`, `cygwin`, `msys2?`,
	`unknown`, `pc`, `apple`, `gnu(eabihf|eabi|abin32)?`, `musl(eabihf|eabi|linux)?`, `glibc`, `msvc`, `mingw32`, `manylinux[0-9_]*`, `libc`, `napi`, `electron`, `node`,
}, "|") + `)$`)

var anySystem = regexp.MustCompile(`(?i)(linux|darwin|mac|osx|win|freebsd|openbsd|netbsd|sunos|solaris|aix|android|x86|x64|amd64|ia32|i[3-6]86|aarch|arm|ppc|powerpc|s390|riscv|loong|mips|sparc)`)

// places returns the names that stand for all files that are the same one for
// several platforms: the path with the platform's words taken out. A path that
// names no platform stands for itself alone.
func places(p string) []string {
	dir, base := path.Split(p)
	parts := strings.Split(strings.Trim(dir, "/"), "/")
	stem := strings.TrimSuffix(base, path.Ext(base))
	var out []string
	// A word in the file's own name: libfoo-arm64.so beside libfoo-x64.so, and
	// node.napi.armv8.node.
	if named := neutral(stem); named != "" {
		out = append(out, dir+named)
	}
	// Words in folders: any of the last six, those below it being the same.
	const deepest = 6
	for n := len(parts) - 1; n >= 0 && n >= len(parts)-deepest; n-- {
		named := neutral(parts[n])
		if named == "" {
			continue
		}
		// A folder for a system may hold folders for architectures.
		rest := make([]string, 0, len(parts)-n)
		for _, part := range parts[n+1:] {
			if inner := neutral(part); inner != "" {
				part = inner
			}
			if part == "bin" || part == "lib" || part == "native" {
				continue // which some systems' packages have, and some have not
			}
			rest = append(rest, part)
		}
		out = append(out, strings.Join(parts[:n], "/")+"/"+named+"/"+strings.Join(rest, "/"))
		// The file's name may differ by system: .dll, .so, .dylib.
	}
	return out
}

// neutral takes the platform's words out of a name, or returns nothing where it
// has none.
func neutral(name string) string {
	if !anySystem.MatchString(name) {
		return ""
	}
	pieces := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '.' || r == '_' || r == '@' || r == '+' })
	found := false
	var rest []string
	for _, piece := range pieces {
		if words.MatchString(piece) {
			found = true
			continue
		}
		rest = append(rest, piece)
	}
	if !found && len(pieces) > 0 {
		return ""
	}
	return "{" + strings.Join(rest, "-") + "}"
}
