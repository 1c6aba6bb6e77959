package program

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/polyarch/polyarch/internal/platform"
)

// HeadSize is how much of a file Identify needs, in bytes.
const HeadSize = 1024

// A Kind is what a file is, as far as starting it is concerned.
type Kind uint8

const (
	Other  Kind = iota // a regular file that is none of those below
	Binary             // a program or a library: ELF, PE or Mach-O
	Script             // starts with #!
	Symlink
	Directory
)

// A File is what is known of one entry of a layer.
type File struct {
	Kind    Kind
	Mode    uint32   // the permission bits
	Machine Machine  // of a Binary
	Program bool     // of a Binary: it can be started, it is no object file or core dump
	Words   []string // of a Script: the interpreter and its argument
	Link    string   // of a Symlink: where it leads
}

// Executable reports whether anybody may start the file.
func (f File) Executable() bool { return f.Mode&0o111 != 0 }

// A Machine is what a program was compiled for.
type Machine struct {
	Format string // "ELF", "PE" or "Mach-O"
	OS     string // empty where the format does not say: an ELF file for Linux
	Arch   string // Go's name, or em123 for an ELF machine without one
	Note   string // "hard float", "x32", … or empty
}

// String gives for example "ELF arm (hard float)" or "Mach-O darwin/arm64".
func (m Machine) String() string {
	s := m.Format + " " + m.Arch
	if m.OS != "" {
		s = m.Format + " " + m.OS + "/" + m.Arch
	}
	if m.Note != "" {
		s += " (" + m.Note + ")"
	}
	return s
}

// any is the architecture of a program that runs on all: .NET's bytecode.
const anyArch = "any"

// Fits reports whether a program for m runs on p. Programs that an operating
// system runs on another architecture in a compatible mode fit: 386 on amd64.
// 32-bit arm does not fit arm64, whose server processors mostly cannot run it.
func (m Machine) Fits(p platform.Platform) bool {
	os := m.OS
	if os == "" && p.OS != "windows" && p.OS != "darwin" {
		os = p.OS
	}
	if os != p.OS {
		return false
	}
	switch {
	case m.Arch == anyArch:
		return true
	case m.Note == noteX32 || m.Note == noteOABI:
		return false // kernels as they are shipped run neither
	case m.Arch == "arm" && p.Arch == "arm" && m.Note == noteHardFloat:
		return p.Variant != "v5"
	case m.Arch == "386" && p.Arch == "amd64":
		return true
	}
	return m.Arch == p.Arch
}

const (
	noteX32       = "x32"
	noteOABI      = "no EABI"
	noteHardFloat = "hard float"
	noteSoftFloat = "soft float"
)

// Identify tells what a regular file is from its first HeadSize bytes, or from
// all of them if it is shorter.
func Identify(head []byte) File {
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return elf(head)
	case bytes.HasPrefix(head, []byte("MZ")):
		return pe(head)
	case bytes.HasPrefix(head, []byte("#!")):
		return script(head)
	}
	return machO(head)
}

// The ELF header is that of the System V ABI, chapter "ELF header"; machines
// and flags are those of each processor's supplement.
const (
	elfClass32, elfClass64 = 1, 2
	elfLittle, elfBig      = 1, 2
)

func elf(h []byte) File {
	if len(h) < 52 {
		return File{}
	}
	var order binary.ByteOrder = binary.LittleEndian
	class, data := h[4], h[5]
	switch {
	case class != elfClass32 && class != elfClass64 || data != elfLittle && data != elfBig:
		return File{}
	case class == elfClass64 && len(h) < 64:
		return File{}
	case data == elfBig:
		order = binary.BigEndian
	}
	kind, machine := order.Uint16(h[16:]), order.Uint16(h[18:])
	flags := order.Uint32(h[36:])
	if class == elfClass64 {
		flags = order.Uint32(h[48:])
	}
	const executable, shared = 2, 3
	return File{
		Kind:    Binary,
		Program: kind == executable || kind == shared,
		Machine: elfMachine(machine, flags, class == elfClass64, data == elfLittle, h[7]),
	}
}

func elfMachine(machine uint16, flags uint32, wide, little bool, abi byte) Machine {
	m := Machine{Format: "ELF", OS: elfSystems[abi]}
	switch machine {
	case 3, 6:
		m.Arch = "386"
	case 62:
		m.Arch = "amd64"
		if !wide {
			m.Note = noteX32
		}
	case 183:
		m.Arch = "arm64"
		switch {
		case !little:
			m.Arch = "arm64be"
		case !wide:
			m.Note = "ILP32"
		}
	case 40:
		m.Arch = "arm"
		switch { // "ELF for the Arm Architecture", e_flags
		case !little:
			m.Arch = "armbe"
		case flags>>24 < 4:
			m.Note = noteOABI
		case flags&0x400 != 0:
			m.Note = noteHardFloat
		case flags&0x200 != 0:
			m.Note = noteSoftFloat
		}
	case 8, 10:
		m.Arch = "mips"
		if wide || flags&0x20 != 0 { // EF_MIPS_ABI2 is n32: a 64-bit processor
			m.Arch = "mips64"
		}
		if little {
			m.Arch += "le"
		}
	case 20:
		m.Arch = "ppc"
	case 21:
		m.Arch = "ppc64"
		if little {
			m.Arch = "ppc64le"
		}
	case 22:
		m.Arch = "s390x"
		if !wide {
			m.Arch = "s390"
		}
	case 43:
		m.Arch = "sparc64"
	case 243:
		m.Arch = "riscv64"
		if !wide {
			m.Arch = "riscv32"
		}
	case 258:
		m.Arch = "loong64"
		if !wide {
			m.Arch = "loong32"
		}
	case 247:
		m.Arch, m.OS = anyArch, "" // BPF: loaded by the kernel of any machine
	default:
		m.Arch = "em" + itoa(machine)
	}
	return m
}

// elfSystems are the operating systems that mark their programs.
var elfSystems = map[byte]string{2: "netbsd", 6: "solaris", 9: "freebsd", 12: "openbsd"}

func itoa(n uint16) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

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
		m.Arch = "em" + itoa(machine)
	}
	optional := at + 24
	// The 15th data directory is that of .NET's bytecode: a program that says
	// 386 and has it was compiled for any processor.
	const directory = 96 + 14*8
	if m.Arch == "386" && len(h) >= optional+directory+8 && binary.LittleEndian.Uint16(h[optional:]) == 0x10b && binary.LittleEndian.Uint32(h[optional+directory:]) != 0 {
		m.Arch, m.Note = anyArch, ".NET"
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
		return File{Kind: Binary, Program: true, Machine: Machine{Format: "Mach-O", OS: "darwin", Arch: anyArch}}
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

// script reads the first line as Linux does: at most 255 bytes of it count.
func script(h []byte) File {
	line, _, _ := bytes.Cut(h[2:min(len(h), 256)], []byte("\n"))
	words := strings.Fields(strings.TrimRight(string(line), "\r"))
	if len(words) == 0 {
		return File{}
	}
	return File{Kind: Script, Words: words}
}
