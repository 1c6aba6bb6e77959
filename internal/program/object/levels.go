package object

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"strconv"
	"strings"
)

// Levels are what a file demands of the processor, beyond its architecture.
type Levels struct {
	AMD64 int // 1 to 4, of "x86-64-v1" to v4; 0: not said
	ARM   int // 5 to 8, of arm/v5 to v8; 0: not said
	ARM64 string
	From  string // what says so: "GNU_PROPERTY_X86_ISA_1_NEEDED", "GOAMD64=v3", "Tag_CPU_arch"
}

// Note types and values of "Linux Extensions to gABI" and the x86-64 psABI.
const (
	noteProperty   = 5
	isaNeeded      = 0xc0008002
	maxNote        = 64 << 10
	sectionARMAttr = 0x70000003 // SHT_ARM_ATTRIBUTES
)

func (l *Levels) readELF(c *Content, e *ELF, m Machine) {
	switch m.Arch {
	case "amd64":
		for _, s := range e.Segments {
			if s.Type != ptNote && s.Type != ptProperty {
				continue
			}
			b, _ := c.At(s.Offset, min(s.FileSize, maxNote))
			if level := e.isa(b, max(4, s.Align)); level > l.AMD64 {
				l.AMD64, l.From = level, "GNU_PROPERTY_X86_ISA_1_NEEDED"
			}
		}
	case "arm":
		if v := e.armArch(c); v > l.ARM {
			l.ARM, l.From = v, "Tag_CPU_arch"
		}
	}
}

// isa returns the highest level in the notes that is needed.
func (e *ELF) isa(b []byte, align uint64) (level int) {
	round := func(n, to uint64) uint64 { return (n + to - 1) / to * to }
	if align != 8 {
		align = 4
	}
	for len(b) >= 12 {
		name, size, kind := uint64(e.order.Uint32(b)), uint64(e.order.Uint32(b[4:])), e.order.Uint32(b[8:])
		from := 12 + round(name, 4)
		if align == 8 {
			from = round(12+name, 8)
		}
		if from+size > uint64(len(b)) {
			return level
		}
		if kind == noteProperty && string(b[12:12+min(name, 4)]) == "GNU\x00" {
			for p := b[from : from+size]; len(p) >= 8; {
				what, n := e.order.Uint32(p), uint64(e.order.Uint32(p[4:]))
				if n > uint64(len(p))-8 {
					break
				}
				if what == isaNeeded && n >= 4 {
					for bit := range 4 {
						if e.order.Uint32(p[8:])&(1<<bit) != 0 {
							level = max(level, bit+1)
						}
					}
				}
				p = p[min(8+round(n, e.word()), uint64(len(p))):]
			}
		}
		b = b[min(round(from+size, align), uint64(len(b))):]
	}
	return level
}

// armVersions are the values of Tag_CPU_arch ("Addenda to, and Errata in, the
// ABI for the Arm Architecture") as versions of the architecture.
var armVersions = []int{4, 4, 4, 5, 5, 5, 6, 6, 6, 6, 7, 6, 6, 7, 8, 8, 8, 8, 8, 8, 8, 8}

// armArch reads Tag_CPU_arch of the section .ARM.attributes.
func (e *ELF) armArch(c *Content) int {
	h := c.Head()
	if e.Class != class32 || len(h) < 52 {
		return 0
	}
	table, entry, count := uint64(e.order.Uint32(h[32:])), uint64(e.order.Uint16(h[46:])), uint64(e.order.Uint16(h[48:]))
	if entry != 40 {
		return 0
	}
	b, ok := c.At(table, entry*count)
	if !ok {
		return 0
	}
	for ; len(b) >= 40; b = b[40:] {
		if e.order.Uint32(b[4:]) == sectionARMAttr {
			a, ok := c.At(uint64(e.order.Uint32(b[16:])), min(uint64(e.order.Uint32(b[20:])), maxNote))
			if !ok {
				return 0
			}
			return cpuArch(a, e.order)
		}
	}
	return 0
}

// cpuArch finds the tag among the attributes of the file as a whole.
func cpuArch(b []byte, o binary.ByteOrder) int {
	if len(b) < 5 || b[0] != 'A' {
		return 0
	}
	const tagFile, tagRawName, tagName, tagArch, tagCompatibility = 1, 4, 5, 6, 32
	vendor := b[5:]
	end := bytes.IndexByte(vendor, 0)
	if end < 0 || string(vendor[:end]) != "aeabi" || len(vendor) < end+6 || vendor[end+1] != tagFile {
		return 0
	}
	size := int(o.Uint32(vendor[end+2:]))
	attrs := vendor[end+6:]
	attrs = attrs[:max(0, min(len(attrs), size-5))]
	for len(attrs) > 0 {
		tag, n := binary.Uvarint(attrs)
		if n <= 0 {
			return 0
		}
		attrs = attrs[n:]
		if tag == tagRawName || tag == tagName || tag == tagCompatibility || tag > 32 && tag%2 == 1 {
			if tag == tagCompatibility {
				if _, n := binary.Uvarint(attrs); n > 0 {
					attrs = attrs[n:]
				}
			}
			z := bytes.IndexByte(attrs, 0)
			if z < 0 {
				return 0
			}
			attrs = attrs[z+1:]
			continue
		}
		v, n := binary.Uvarint(attrs)
		if n <= 0 {
			return 0
		}
		attrs = attrs[n:]
		if tag == tagArch {
			if v < uint64(len(armVersions)) {
				return armVersions[v]
			}
			return 0
		}
	}
	return 0
}

// goMagic begins what Go's linker writes (package debug/buildinfo).
var goMagic = []byte("\xff Go buildinf:")

// readGo reads how Go built the file: it stands at the start of a data segment.
func (l *Levels) readGo(c *Content, m Machine) {
	if m.Arch != "amd64" && m.Arch != "arm" && m.Arch != "arm64" {
		return
	}
	for _, p := range c.parts {
		for b := p.b; ; {
			at := bytes.Index(b, goMagic)
			if at < 0 {
				break
			}
			if l.goSettings(b[at:], m.Arch) {
				return
			}
			b = b[at+len(goMagic):]
		}
	}
}

// goSettings reads the settings after the magic, of Go 1.18 and newer.
func (l *Levels) goSettings(b []byte, arch string) bool {
	const inline = 2
	if len(b) < 34 || b[15]&inline == 0 {
		return false
	}
	b = b[32:]
	for range 2 { // the version, then the settings
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return false
		}
		b = b[w:]
		for line := range strings.Lines(string(b[:n])) {
			key, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "build\t"), "=")
			if ok {
				l.setting(key, value, arch)
			}
		}
		b = b[n:]
	}
	return true
}

func (l *Levels) setting(key, value, arch string) {
	switch {
	case key == "GOAMD64" && arch == "amd64" && len(value) == 2 && value[0] == 'v' && value[1] >= '1' && value[1] <= '4':
		l.AMD64 = int(value[1] - '0')
	case key == "GOARM" && arch == "arm":
		v, _, _ := strings.Cut(value, ",")
		n, err := strconv.Atoi(v)
		if err != nil || n < 5 || n > 7 {
			return
		}
		l.ARM = n
	case key == "GOARM64" && arch == "arm64":
		l.ARM64 = value
	default:
		return
	}
	l.From = cmp.Or(l.From, key+"="+value)
}
