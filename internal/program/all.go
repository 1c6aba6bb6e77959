package program

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/program/object"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// maxListed is how many files of one folder are named one by one.
const maxListed = 3

// All compares every program and library of an image with its platform. One of
// another platform is refused, unless its ecosystem's own naming says that it
// is one of several, and the right one is there too.
func All(v *rootfs.View, p platform.Platform) (refused, notes []string) {
	if p.OS != "linux" && p.OS != "windows" {
		return nil, []string{fmt.Sprintf("files that may be loaded later were not looked at: the image is for %s", p.OS)}
	}
	fit := map[string]bool{} // places that have a file for the platform
	var others []rootfs.Found
	v.Each(func(f rootfs.Found) {
		switch {
		case f.File.Kind != object.Binary:
		case f.File.Machine.Fits(p):
			for _, place := range places(f.Path) {
				fit[place] = true
			}
		default:
			others = append(others, f)
		}
	})
	said, hard := map[string]int{}, map[string]bool{} // by folder
	for _, f := range others {
		line := fmt.Sprintf("/%s is %s, and the image says that it is for %s; it is in layer %d of %d", f.Path, f.File.Machine, p, v.Total()-f.Layer, v.Total())
		dir := path.Dir(f.Path)
		why := ""
		switch named := places(f.Path); {
		case slices.ContainsFunc(named, func(s string) bool { return fit[s] }):
			why = "one for the platform is beside it"
		default:
			why = foreign(f)
		}
		hard[dir] = hard[dir] || why == ""
		if said[dir]++; said[dir] > maxListed {
			continue
		}
		if why != "" {
			notes = append(notes, fmt.Sprintf("/%s is %s: %s", f.Path, f.File.Machine, why))
		} else {
			refused = append(refused, line)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(said)) {
		if n := said[dir] - maxListed; n > 0 {
			more := fmt.Sprintf("/%s has %d more files of another platform", dir, n)
			if hard[dir] {
				refused = append(refused, more)
			} else {
				notes = append(notes, more)
			}
		}
	}
	for _, p := range v.Unread() {
		notes = append(notes, fmt.Sprintf("/%s was not looked into: it cannot be read in one pass", p))
	}
	return refused, notes
}

// foreign says why, by its place, a file of another platform is not a mistake:
// nothing on this platform loads it.
func foreign(f rootfs.Found) string {
	p := "/" + f.Path
	switch {
	case f.File.Machine.Arch == object.AnyArch:
		return "it runs anywhere"
	case crossToolchain(p):
		return "it belongs to a cross toolchain"
	case strings.Contains(p, "/testdata/"), strings.Contains(p, "/usr/local/go/src/"), strings.Contains(p, "/usr/lib/go"), strings.Contains(p, "/site-packages/setuptools/"), strings.Contains(p, "/pip/_vendor/distlib/"):
		return "it is data of a tool"
	case strings.Contains(p, "/usr/share/qemu"), strings.Contains(p, "/usr/lib/ipxe"), strings.Contains(p, "/usr/lib/grub"), strings.Contains(p, "/usr/lib/firmware/"), strings.Contains(p, "/lib/firmware/"), strings.Contains(p, "/usr/lib/debug/"), strings.Contains(p, "/bpf/"), strings.HasSuffix(p, ".bpf.o"), strings.HasSuffix(p, ".debug"):
		return "it is not loaded by this system"
	case !f.File.Program && f.File.Machine.Format == "ELF":
		return "it is an object file"
	}
	return ""
}

// crossToolchain knows the folders of compilers for other machines: triplets of
// GNU and LLVM, sysroots.
func crossToolchain(p string) bool {
	for _, part := range strings.Split(p, "/") {
		if part == "sysroot" || part == "sysroots" || strings.HasSuffix(part, "-sysroot") {
			return true
		}
		if triplet(part) != "" && !strings.HasPrefix(p, "/lib/"+part) && !strings.HasPrefix(p, "/usr/lib/"+part) || strings.HasPrefix(part, "gcc-cross") {
			return true
		}
	}
	return false
}

// triplet returns the architecture of a name like aarch64-linux-gnu.
func triplet(part string) string {
	for _, suffix := range []string{"-linux-gnu", "-linux-musl", "-unknown-linux-", "-linux-android", "-none-", "-w64-mingw32", "-pc-windows-", "-apple-darwin", "-unknown-none"} {
		if before, _, ok := strings.Cut(part, suffix); ok && before != "" && !strings.Contains(before, ".") {
			return before
		}
	}
	return ""
}
