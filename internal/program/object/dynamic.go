package object

import "bytes"

// A Dynamic is what the dynamic section of an ELF file says to the loader
// (System V ABI, "Dynamic Section"; GNU's tags as in glibc's elf.h).
type Dynamic struct {
	Soname         string
	Needed         []string // in the file's order
	Filters        []string // libraries that stand in for this one: DT_AUXILIARY, DT_FILTER
	RPath, RunPath string
	HasRunPath     bool
	BindNow        bool // all symbols are looked up at the start
	NoDefaultLib   bool // the loader's default folders do not count
	PIE            bool // a program, not a library
	Packed         bool // it has relocations of a kind that older loaders do not know: DT_RELR
	Versioned      bool // it says which versions its symbols have: DT_VERSYM
	Defines        bool // it has DT_VERDEF
	Defs           []string
	Needs          []VersionNeed
	Symbols        *Symbols
	Doubt          string // why not all of this is known; a clause, or empty
	SystemDirs     []string
	CachePath      string
	Release        string // of glibc or musl, where the file is its loader or its libc and says so

	names []string // of versions, by their index in DT_VERSYM
}

// A VersionNeed is one version that a file needs of one library.
type VersionNeed struct {
	Library, Version string
	Weak             bool // the loader does not mind if it is missing
}

const (
	dtNeeded, dtPltRelSz, dtHash, dtStrTab, dtSymTab   = 1, 2, 4, 5, 6
	dtRela, dtRelaSz, dtStrSz, dtSoname, dtRPath       = 7, 8, 10, 14, 15
	dtRel, dtRelSz, dtPltRel, dtJmpRel, dtBindNow      = 17, 18, 20, 23, 24
	dtRunPath, dtFlags, dtRelr                         = 29, 30, 36
	dtGnuHash, dtVerSym, dtFlags1, dtVerDef            = 0x6ffffef5, 0x6ffffff0, 0x6ffffffb, 0x6ffffffc
	dtVerDefNum, dtVerNeed, dtVerNeedNum               = 0x6ffffffd, 0x6ffffffe, 0x6fffffff
	dtAuxiliary, dtFilter, dtMipsGotSym, dtMipsSymTab  = 0x7ffffffd, 0x7fffffff, 0x70000013, 0x70000011
	flagBindNow, flag1Now, flag1NoDefaultLib, flag1PIE = 0x8, 0x1, 0x800, 0x08000000
	maxEntries, maxVersions, maxNeeded, maxString      = 4096, 4096, 1024, 4096
)

// file translates an address to an offset in the file.
func (e *ELF) file(address uint64) (offset, left uint64, ok bool) {
	for _, s := range e.Segments {
		if s.Type == ptLoad && address >= s.Address && address-s.Address < s.FileSize {
			return s.Offset + address - s.Address, s.FileSize - (address - s.Address), true
		}
	}
	return 0, 0, false
}

// word is the size of an address.
func (e *ELF) word() uint64 {
	if e.Class == class64 {
		return 8
	}
	return 4
}

func (e *ELF) uint(b []byte) uint64 {
	if e.Class == class64 {
		return e.order.Uint64(b)
	}
	return uint64(e.order.Uint32(b))
}

// A section reads what the tags of a dynamic section point at.
type section struct {
	e    *ELF
	c    *Content
	d    *Dynamic
	tags map[uint64]uint64
}

func (s *section) doubt(why string) {
	if s.d.Doubt == "" {
		s.d.Doubt = why
	}
}

func (e *ELF) readDynamic(c *Content, m Machine) {
	var at *Segment
	for n := range e.Segments {
		if e.Segments[n].Type == ptDynamic {
			at = &e.Segments[n] // the last one counts for glibc, too
		}
	}
	if at == nil {
		return
	}
	d := &Dynamic{}
	s := &section{e: e, c: c, d: d, tags: map[uint64]uint64{}}
	e.Dynamic = d
	w := e.word()
	b, ok := c.At(at.Offset, min(at.FileSize, maxEntries*2*w))
	if !ok {
		s.doubt("has a dynamic section that was not read")
		return
	}
	var needed, filters []uint64
	for ; uint64(len(b)) >= 2*w; b = b[2*w:] {
		tag, value := e.uint(b), e.uint(b[w:])
		if tag == 0 {
			break
		}
		switch tag {
		case dtNeeded:
			needed = append(needed, value)
		case dtAuxiliary, dtFilter:
			filters = append(filters, value)
		default:
			s.tags[tag] = value
		}
	}
	if len(needed)+len(filters) > maxNeeded {
		s.doubt("needs too many libraries to be followed")
		return
	}
	for _, n := range needed {
		d.Needed = append(d.Needed, s.text(n))
	}
	for _, n := range filters {
		d.Filters = append(d.Filters, s.text(n))
	}
	s.flags()
	s.versions()
	s.symbols(m)
	d.loader(c)
}

func (s *section) flags() {
	d := s.d
	if v, ok := s.tags[dtSoname]; ok {
		d.Soname = s.text(v)
	}
	if v, ok := s.tags[dtRunPath]; ok {
		d.RunPath, d.HasRunPath = s.text(v), true
	}
	if v, ok := s.tags[dtRPath]; ok {
		d.RPath = s.text(v)
	}
	_, now := s.tags[dtBindNow]
	d.BindNow = now || s.tags[dtFlags]&flagBindNow != 0 || s.tags[dtFlags1]&flag1Now != 0
	d.NoDefaultLib = s.tags[dtFlags1]&flag1NoDefaultLib != 0
	_, d.Packed = s.tags[dtRelr]
	d.PIE = s.tags[dtFlags1]&flag1PIE != 0
}

// text returns a string of DT_STRTAB.
func (s *section) text(offset uint64) string { return string(s.bytes(offset)) }

// bytes is text that is not kept.
func (s *section) bytes(offset uint64) []byte {
	table, left, ok := s.e.file(s.tags[dtStrTab])
	if ok && offset < left {
		b := s.c.From(table+offset, min(left-offset, maxString+1))
		if end := bytes.IndexByte(b, 0); end >= 0 {
			return b[:end]
		}
	}
	s.doubt("has names that were not read")
	return nil
}

// versions reads DT_VERDEF and DT_VERNEED (LSB Core, "Symbol Versioning").
func (s *section) versions() {
	d, o := s.d, s.e.order
	_, d.Versioned = s.tags[dtVerSym]
	set := func(n uint16, name string) {
		n &= 0x7fff
		if int(n) >= maxVersions {
			s.doubt("has too many versions to be read")
			return
		}
		for len(d.names) <= int(n) {
			d.names = append(d.names, "")
		}
		d.names[n] = name
	}
	if address, ok := s.tags[dtVerDef]; ok {
		d.Defines = true
		for n := uint64(0); n < min(s.tags[dtVerDefNum], maxVersions); n++ {
			b, ok := s.at(address, 20)
			if !ok {
				s.doubt("defines versions that were not read")
				break
			}
			aux, next, count := o.Uint32(b[12:]), o.Uint32(b[16:]), o.Uint16(b[6:])
			if a, ok := s.at(address+uint64(aux), 8); ok && count > 0 {
				name := s.text(uint64(o.Uint32(a)))
				const base = 1 // the entry for the file itself
				if o.Uint16(b[2:])&base == 0 {
					d.Defs = append(d.Defs, name)
					set(o.Uint16(b[4:]), name)
				} else {
					d.Defs = append(d.Defs, name) // which glibc compares as well
				}
			}
			if next == 0 {
				break
			}
			address += uint64(next)
		}
	}
	address, ok := s.tags[dtVerNeed]
	if !ok {
		return
	}
	for n := uint64(0); n < min(s.tags[dtVerNeedNum], maxVersions); n++ {
		b, ok := s.at(address, 16)
		if !ok {
			s.doubt("needs versions that were not read")
			return
		}
		library := s.text(uint64(o.Uint32(b[4:])))
		aux := address + uint64(o.Uint32(b[8:]))
		for range min(o.Uint16(b[2:]), maxVersions) {
			a, ok := s.at(aux, 16)
			if !ok || len(d.Needs) == maxVersions {
				s.doubt("needs versions that were not read")
				return
			}
			const weak = 2
			name := s.text(uint64(o.Uint32(a[8:])))
			d.Needs = append(d.Needs, VersionNeed{library, name, o.Uint16(a[4:])&weak != 0})
			set(o.Uint16(a[6:]), name)
			next := o.Uint32(a[12:])
			if next == 0 {
				break
			}
			aux += uint64(next)
		}
		next := o.Uint32(b[12:])
		if next == 0 {
			return
		}
		address += uint64(next)
	}
}

// at returns n bytes at an address.
func (s *section) at(address, n uint64) ([]byte, bool) {
	offset, left, ok := s.e.file(address)
	if !ok || left < n {
		return nil, false
	}
	return s.c.At(offset, n)
}
