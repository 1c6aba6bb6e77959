package imagetest

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// elfMachines are e_machine and class (32 or 64), and whether big-endian.
var elfMachines = map[string]struct {
	machine uint16
	bits    int
	big     bool
}{
	"386": {3, 32, false}, "amd64": {62, 64, false}, "arm": {40, 32, false}, "arm64": {183, 64, false},
	"mips": {8, 32, true}, "mipsle": {8, 32, false}, "mips64le": {8, 64, false},
	"ppc64": {21, 64, true}, "ppc64le": {21, 64, false}, "riscv64": {243, 64, false},
	"s390x": {22, 64, true}, "loong64": {258, 64, false}, "sparc64": {43, 64, true},
}

// ELF returns a program for one of Go's architectures that a kernel loads: a
// header, one segment, and some text in it. Flags are e_flags.
func ELF(arch string, flags uint32) string {
	m, ok := elfMachines[arch]
	if !ok {
		panic(fmt.Sprintf("no ELF machine for %q", arch))
	}
	var order binary.ByteOrder = binary.LittleEndian
	h := make([]byte, 64)
	copy(h, "\x7fELF")
	h[4], h[5], h[6] = byte(m.bits/32), 1, 1
	if m.big {
		order, h[5] = binary.BigEndian, 2
	}
	order.PutUint16(h[16:], 2)
	order.PutUint16(h[18:], m.machine)
	text := strings.Repeat("program for "+arch+"\n", 8)
	var segment []byte
	const load, readExecute, address, align = 1, 5, 0x10000, 0x1000
	if m.bits == 64 {
		order.PutUint64(h[24:], address)
		order.PutUint64(h[32:], 64)
		order.PutUint32(h[48:], flags)
		order.PutUint16(h[52:], 64)
		order.PutUint16(h[54:], 56)
		order.PutUint16(h[56:], 1)
		segment = make([]byte, 56)
		size := uint64(64 + 56 + len(text))
		order.PutUint32(segment[4:], readExecute)
		for at, v := range map[int]uint64{16: address, 24: address, 32: size, 40: size, 48: align} {
			order.PutUint64(segment[at:], v)
		}
	} else {
		h = h[:52]
		order.PutUint32(h[24:], address)
		order.PutUint32(h[28:], 52)
		order.PutUint32(h[36:], flags)
		order.PutUint16(h[40:], 52)
		order.PutUint16(h[42:], 32)
		order.PutUint16(h[44:], 1)
		segment = make([]byte, 32)
		size := uint32(52 + 32 + len(text))
		for at, v := range map[int]uint32{8: address, 12: address, 16: size, 20: size, 24: readExecute, 28: align} {
			order.PutUint32(segment[at:], v)
		}
	}
	order.PutUint32(segment, load)
	return string(h) + string(segment) + text
}

// PE returns the header of a Windows program for that machine.
func PE(machine uint16) string {
	h := make([]byte, 512)
	copy(h, "MZ")
	binary.LittleEndian.PutUint32(h[0x3c:], 0x80)
	copy(h[0x80:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(h[0x84:], machine)
	return string(h)
}

// WithGo adds to a program what Go's linker writes of how it was built, with
// one setting: "GOAMD64=v3" (package debug/buildinfo).
func WithGo(program, setting string) string {
	settings := "build\t" + setting
	return program + "\xff Go buildinf:\x08\x02" + strings.Repeat("\x00", 16) + "\x00" + string([]byte{byte(len(settings))}) + settings
}
