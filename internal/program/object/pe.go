package object

import "encoding/binary"

// pe reads the header of a Windows program ("PE Format", Microsoft).
func pe(h []byte) File {
	if len(h) < 0x40 {
		return File{}
	}
	at := int(binary.LittleEndian.Uint32(h[0x3c:]))
	if at < 0x40 || at > len(h)-26 || string(h[at:at+4]) != "PE\x00\x00" {
		return File{}
	}
	const dll = 0x2000
	m := Machine{Format: "PE", OS: "windows"}
	machine := binary.LittleEndian.Uint16(h[at+4:])
	switch machine {
	case 0x14c:
		m.Arch = "386"
	case 0x8664:
		m.Arch = "amd64"
	case 0xaa64:
		m.Arch = "arm64"
	case 0x1c0, 0x1c4:
		m.Arch = "arm"
	default:
		m.Arch = machineName(machine)
	}
	optional := at + 24
	// The 15th data directory is that of .NET's bytecode: a program that says
	// 386 and has it was compiled for any processor.
	const directory = 96 + 14*8
	if m.Arch == "386" && len(h) >= optional+directory+8 && binary.LittleEndian.Uint16(h[optional:]) == 0x10b && binary.LittleEndian.Uint32(h[optional+directory:]) != 0 {
		m.Arch, m.Note = AnyArch, ".NET"
	}
	return File{Kind: Binary, Program: binary.LittleEndian.Uint16(h[at+22:])&dll == 0, Machine: m}
}

// machO recognises the programs of macOS, which end up in images when a Mac's
// own build is copied into one.
func machO(h []byte) File {
	if len(h) < 16 {
		return File{}
	}
	cpu, kind := binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint32(h[12:])
	switch binary.LittleEndian.Uint32(h) {
	case 0xfeedface, 0xfeedfacf:
	case 0xbebafeca: // several architectures in one file; a Java class starts so too
		if n := binary.BigEndian.Uint32(h[4:]); n == 0 || n > 8 {
			return File{}
		}
		return File{Kind: Binary, Program: true, Machine: Machine{Format: "Mach-O", OS: "darwin", Arch: AnyArch}}
	default:
		return File{}
	}
	m := Machine{Format: "Mach-O", OS: "darwin", Arch: "unknown"}
	switch cpu {
	case 7:
		m.Arch = "386"
	case 0x01000007:
		m.Arch = "amd64"
	case 0x0100000c:
		m.Arch = "arm64"
	}
	return File{Kind: Binary, Program: kind == 2, Machine: m}
}
