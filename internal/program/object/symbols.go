package object

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// Symbols are the names that a file has and those that it looks up when it is
// loaded. Names it has are kept as hashes: there are many.
type Symbols struct {
	defs []def // in order of their hashes
	Refs []Ref
}

type def struct {
	hash    uint64
	version uint16 // its index, with bit 15 set where the symbol is hidden
}

// A Ref is a symbol that a file looks up. Those that may be missing are not
// listed.
type Ref struct {
	Name    string
	Version string // empty: any
	Hidden  bool   // only this version will do, even where a symbol has none
	Lazy    bool   // only when it is first called, unless all are looked up at the start
	Others  bool   // in other files alone: the program has it as a copy
}

var seed = maphash.MakeSeed()

func hash(name string) uint64 { return maphash.String(seed, name) }

// symbol table entries
const (
	bindLocal, bindGlobal, bindWeak, bindUnique = 0, 1, 2, 10

	maxSymbols = 1 << 20
	maxRelocs  = 8 << 20
)

// copyRelocs are the relocations that copy data out of a library, by e_machine.
var copyRelocs = map[uint16]uint32{3: 5, 6: 5, 62: 5, 40: 20, 183: 1024, 20: 19, 21: 19, 22: 9, 243: 4, 258: 4, 43: 19, 8: 126}

type symbol struct {
	name      uint32
	info      byte
	undefined bool
	visible   bool
	zero      bool // its value
	shndx     uint16
}

func (s *section) symbol(n uint64) (y symbol, ok bool) {
	o := s.e.order
	if s.e.Class == class64 {
		b, ok := s.at(s.tags[dtSymTab]+24*n, 24)
		if !ok {
			return y, false
		}
		y = symbol{name: o.Uint32(b), info: b[4], visible: b[5]&3 == 0 || b[5]&3 == 3, shndx: o.Uint16(b[6:]), zero: o.Uint64(b[8:]) == 0}
	} else {
		b, ok := s.at(s.tags[dtSymTab]+16*n, 16)
		if !ok {
			return y, false
		}
		y = symbol{name: o.Uint32(b), info: b[12], visible: b[13]&3 == 0 || b[13]&3 == 3, shndx: o.Uint16(b[14:]), zero: o.Uint32(b[4:]) == 0}
	}
	y.undefined = y.shndx == 0
	return y, true
}

// version returns the index of a symbol's version.
func (s *section) version(n uint64) uint16 {
	if !s.d.Versioned {
		return 1
	}
	b, ok := s.at(s.tags[dtVerSym]+2*n, 2)
	if !ok {
		s.doubt("has symbol versions that were not read")
		return 1
	}
	return s.e.order.Uint16(b)
}

func (s *section) symbols(m Machine) {
	if s.tags[dtSymTab] == 0 {
		return
	}
	y := &Symbols{}
	s.d.Symbols = y
	from, to, ok := s.defined()
	if !ok || to > maxSymbols {
		s.doubt("has symbols that were not read")
		return
	}
	y.defs = make([]def, 0, to-from)
	for n := from; n < to; n++ {
		v, ok := s.symbol(n)
		if !ok {
			s.doubt("has symbols that were not read")
			return
		}
		const absolute, tls, section, file = 0xfff1, 6, 3, 4
		kind, bind := v.info&15, v.info>>4
		if v.undefined || bind == bindLocal || !v.visible || kind == section || kind == file || v.zero && v.shndx != absolute && kind != tls {
			continue
		}
		if name := s.bytes(uint64(v.name)); len(name) > 0 {
			y.defs = append(y.defs, def{maphash.Bytes(seed, name), s.version(n)})
		}
	}
	slices.SortFunc(y.defs, func(a, b def) int { return cmp.Compare(a.hash, b.hash) })
	y.defs = slices.Clip(y.defs)
	s.references(y)
}

// defined returns which symbols the loader can find: those in the hash table.
func (s *section) defined() (from, to uint64, ok bool) {
	o := s.e.order
	if address, gnu := s.tags[dtGnuHash]; gnu {
		b, ok := s.at(address, 16)
		if !ok {
			return 0, 0, false
		}
		buckets, first, bloom := uint64(o.Uint32(b)), uint64(o.Uint32(b[4:])), uint64(o.Uint32(b[8:]))
		at := address + 16 + bloom*s.e.word()
		table, ok := s.at(at, 4*buckets)
		if !ok || buckets > maxSymbols {
			return 0, 0, false
		}
		last := uint64(0)
		for ; len(table) >= 4; table = table[4:] {
			last = max(last, uint64(o.Uint32(table)))
		}
		if last < first {
			return 0, 0, true
		}
		chain := at + 4*buckets
		for ; last < maxSymbols; last++ {
			b, ok := s.at(chain+4*(last-first), 4)
			if !ok {
				return 0, 0, false
			}
			if o.Uint32(b)&1 != 0 {
				return first, last + 1, true
			}
		}
		return 0, 0, false
	}
	address, sysv := s.tags[dtHash]
	if !sysv {
		return 0, 0, true
	}
	width := uint64(4)
	if s.e.Machine == 22 && s.e.Class == class64 || s.e.Machine == 0x9026 {
		width = 8 // s390x and alpha differ from all others
	}
	b, ok := s.at(address, 2*width)
	if !ok {
		return 0, 0, false
	}
	if width == 8 {
		return 0, o.Uint64(b[8:]), true
	}
	return 0, uint64(o.Uint32(b[4:])), true
}

// references finds the symbols that relocations look up.
func (s *section) references(y *Symbols) {
	const eager, lazy, copied = 1, 2, 4
	used := map[uint32]uint8{}
	copyType, known := copyRelocs[s.e.Machine]
	scan := func(address, size uint64, addend bool, flag uint8) {
		entry := 2 * s.e.word()
		if addend {
			entry += s.e.word()
		}
		if size == 0 {
			return
		}
		b, ok := s.at(address, size)
		if !ok || size/entry > maxRelocs {
			s.doubt("has relocations that were not read")
			return
		}
		w := s.e.word()
		for ; uint64(len(b)) >= entry; b = b[entry:] {
			info := s.e.uint(b[w:])
			n, kind := uint32(info>>8), uint32(info&0xff)
			if s.e.Class == class64 {
				n, kind = uint32(info>>32), uint32(info)
				if s.e.Machine == 8 && s.e.Data == little { // mips64el has its own order
					n, kind = uint32(info), uint32(info>>56)
				}
			}
			if n == 0 {
				continue
			}
			if known && kind == copyType {
				used[n] |= copied | eager
			} else {
				used[n] |= flag
			}
		}
	}
	scan(s.tags[dtRela], s.tags[dtRelaSz], true, eager)
	scan(s.tags[dtRel], s.tags[dtRelSz], false, eager)
	scan(s.tags[dtJmpRel], s.tags[dtPltRelSz], s.tags[dtPltRel] == dtRela, lazy)
	if got, ok := s.tags[dtMipsGotSym]; ok {
		for n := got; n < min(s.tags[dtMipsSymTab], maxSymbols); n++ {
			used[uint32(n)] |= lazy
		}
	}
	for n, how := range used {
		v, ok := s.symbol(uint64(n))
		if !ok {
			s.doubt("has symbols that were not read")
			return
		}
		bind := v.info >> 4
		if bind == bindLocal || bind == bindWeak || !v.visible || !v.undefined && how&copied == 0 {
			continue
		}
		r := Ref{Name: s.text(uint64(v.name)), Lazy: how&eager == 0, Others: how&copied != 0}
		if index := s.version(uint64(n)); index&0x7fff > 1 && int(index&0x7fff) < len(s.d.names) {
			r.Version, r.Hidden = s.d.names[index&0x7fff], index&0x8000 != 0
		}
		y.Refs = append(y.Refs, r)
	}
	slices.SortFunc(y.Refs, func(a, b Ref) int { return cmp.Compare(a.Name, b.Name) })
	for n := range y.Refs { // so that no name holds on to more than itself
		y.Refs[n].Name = string([]byte(y.Refs[n].Name))
	}
}

// Has reports whether a loader finds a symbol in the file, by the rules of
// glibc's check_match (elf/dl-lookup.c) or, without versions, of musl's
// find_sym (ldso/dynlink.c).
func (d *Dynamic) Has(r Ref, versions bool) bool {
	if d.Symbols == nil {
		return false
	}
	h := hash(r.Name)
	at, _ := slices.BinarySearchFunc(d.Symbols.defs, h, func(x def, h uint64) int { return cmp.Compare(x.hash, h) })
	for ; at < len(d.Symbols.defs) && d.Symbols.defs[at].hash == h; at++ {
		index := d.Symbols.defs[at].version
		hidden := index&0x8000 != 0
		name := ""
		if n := int(index & 0x7fff); n < len(d.names) {
			name = d.names[n]
		}
		switch {
		case !versions:
			if !hidden {
				return true
			}
		case !d.Versioned:
			return true
		case r.Version == "":
			if !hidden || index&0x7fff < 3 {
				return true
			}
		case name == r.Version, !r.Hidden && name == "" && !hidden:
			return true
		}
	}
	return false
}

// Size is about how many bytes of memory the symbols take.
func (y *Symbols) Size() int {
	n := 16 * len(y.defs)
	for _, r := range y.Refs {
		n += 56 + len(r.Name)
	}
	return n
}
