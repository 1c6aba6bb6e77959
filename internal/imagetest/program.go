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

// ELF returns the header of a program for one of Go's architectures, followed by
// some text. Flags are e_flags.
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
	if m.bits == 64 {
		order.PutUint32(h[48:], flags)
	} else {
		order.PutUint32(h[36:], flags)
	}
	return string(h) + strings.Repeat("program for "+arch+"\n", 8)
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
