package object

import (
	"encoding/binary"
	"strconv"
)

// The ELF header is that of the System V ABI, chapter "ELF header"; machines
// and flags are those of each processor's supplement.
const (
	class32, class64           = 1, 2
	little, big                = 1, 2
	typeExecutable, typeShared = 2, 3
)

func identifyELF(h []byte) File {
	if len(h) < 52 {
		return File{}
	}
	var order binary.ByteOrder = binary.LittleEndian
	class, data := h[4], h[5]
	switch {
	case class != class32 && class != class64 || data != little && data != big:
		return File{}
	case class == class64 && len(h) < 64:
		return File{}
	case data == big:
		order = binary.BigEndian
	}
	kind, machine := order.Uint16(h[16:]), order.Uint16(h[18:])
	flags := order.Uint32(h[36:])
	if class == class64 {
		flags = order.Uint32(h[48:])
	}
	return File{
		Kind:    Binary,
		Program: kind == typeExecutable || kind == typeShared,
		Machine: elfMachine(machine, flags, class == class64, data == little, h[7]),
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
		m.Arch, m.OS = AnyArch, "" // BPF: loaded by the kernel of any machine
	default:
		m.Arch = machineName(machine)
	}
	return m
}

// elfSystems are the operating systems that mark their programs.
var elfSystems = map[byte]string{2: "netbsd", 6: "solaris", 9: "freebsd", 12: "openbsd"}

func machineName(n uint16) string { return "em" + strconv.Itoa(int(n)) }

// An ELF is what an ELF file says to the kernel and to the loader.
type ELF struct {
	Class, Data byte
	Type        uint16 // e_type
	Machine     uint16 // e_machine
	Flags       uint32 // e_flags
	ABI         byte   // EI_OSABI
	Refused     string // why the kernel or a loader does not take it for a program; a clause, or empty
	Doubt       string // why nothing is proved of it: "is cut short"; a clause, or empty
	HasInterp   bool
	Interp      string
	Dynamic     *Dynamic // nil: it has no dynamic section
	Segments    []Segment

	order binary.ByteOrder
}

// A Segment is a program header.
type Segment struct {
	Type, Flags                           uint32
	Offset, Address, FileSize, MemorySize uint64
	Align                                 uint64
}

const (
	ptLoad, ptDynamic, ptInterp, ptNote, ptProperty = 1, 2, 3, 4, 0x6474e553

	maxSegments = 512
	maxPath     = 4096 // PATH_MAX of linux/limits.h
)

// header reads the ELF header and the program headers from the first bytes of
// a file. It serves the capture of the rest as well.
func header(h []byte) (e *ELF, table, size uint64) {
	if f := identifyELF(h); f.Kind != Binary {
		return nil, 0, 0
	}
	e = &ELF{Class: h[4], Data: h[5], ABI: h[7], order: binary.LittleEndian}
	if e.Data == big {
		e.order = binary.BigEndian
	}
	e.Type, e.Machine = e.order.Uint16(h[16:]), e.order.Uint16(h[18:])
	var entry, count uint16
	want := uint16(32)
	if e.Class == class64 {
		e.Flags = e.order.Uint32(h[48:])
		table, entry, count, want = e.order.Uint64(h[32:]), e.order.Uint16(h[54:]), e.order.Uint16(h[56:]), 56
	} else {
		e.Flags = e.order.Uint32(h[36:])
		table, entry, count = uint64(e.order.Uint32(h[28:])), e.order.Uint16(h[42:]), e.order.Uint16(h[44:])
	}
	switch {
	case e.Type != typeExecutable && e.Type != typeShared:
		e.Refused = "is an object file or a core dump, no program"
	case count == 0:
		e.Refused = "has no program headers"
	case entry != want:
		e.Refused = "has program headers of a wrong size"
	case count > maxSegments:
		e.Doubt = "has too many program headers to be read"
	default:
		return e, table, uint64(entry) * uint64(count)
	}
	return e, 0, 0
}

// segments decodes a table of program headers.
func (e *ELF) segments(b []byte) (all []Segment) {
	if e.Class == class64 {
		for ; len(b) >= 56; b = b[56:] {
			all = append(all, Segment{
				Type: e.order.Uint32(b), Flags: e.order.Uint32(b[4:]), Offset: e.order.Uint64(b[8:]), Address: e.order.Uint64(b[16:]),
				FileSize: e.order.Uint64(b[32:]), MemorySize: e.order.Uint64(b[40:]), Align: e.order.Uint64(b[48:]),
			})
		}
		return all
	}
	for ; len(b) >= 32; b = b[32:] {
		w := func(n int) uint64 { return uint64(e.order.Uint32(b[4*n:])) }
		all = append(all, Segment{Type: uint32(w(0)), Offset: w(1), Address: w(2), FileSize: w(4), MemorySize: w(5), Flags: uint32(w(6)), Align: w(7)})
	}
	return all
}

func readELF(c *Content, m Machine) *ELF {
	e, table, size := header(c.Head())
	if e == nil || size == 0 {
		return e
	}
	b, ok := c.At(table, size)
	if !ok {
		e.Refused = "has no program headers: it is cut short"
		if int64(table+size) <= c.Size {
			e.Refused, e.Doubt = "", "has its program headers where they were not read"
		}
		return e
	}
	e.Segments = e.segments(b)
	loads := 0
	for _, s := range e.Segments {
		switch s.Type {
		case ptLoad:
			loads++
			if s.Offset+s.FileSize < s.Offset || s.Offset+s.FileSize > uint64(c.Size) {
				e.Doubt = "is cut short"
			}
			if s.Align > 1 && (s.Align&(s.Align-1) != 0 || (s.Address-s.Offset)%s.Align != 0) {
				e.Doubt = "has segments that are not aligned"
			}
		case ptInterp:
			e.readInterp(c, s)
		}
	}
	if loads == 0 {
		e.Refused = "has nothing to load"
		return e
	}
	e.readDynamic(c, m)
	return e
}

// readInterp reads PT_INTERP as load_elf_binary of linux/fs/binfmt_elf.c does:
// the first of them, a path that ends with a zero byte.
func (e *ELF) readInterp(c *Content, s Segment) {
	if e.HasInterp {
		return
	}
	e.HasInterp = true
	if s.FileSize < 2 || s.FileSize > maxPath {
		e.Refused = "names its loader in a way that the kernel refuses"
		return
	}
	b, ok := c.At(s.Offset, s.FileSize)
	switch {
	case !ok:
		e.Doubt = "names its loader where it was not read"
	case b[len(b)-1] != 0:
		e.Refused = "names its loader in a way that the kernel refuses"
	default:
		e.Interp = cstring(b)
	}
}

func cstring(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
