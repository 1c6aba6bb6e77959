package loader

import (
	"bytes"
	"encoding/binary"

	"github.com/polyarch/polyarch/internal/program/object"
)

// A cache is an ld.so.cache (glibc, sysdeps/generic/dl-cache.h).
type cache struct{ entries map[string][]cached }

type cached struct {
	path   string
	flags  uint32
	hwcap  string // a folder of glibc-hwcaps, or empty
	legacy bool   // for some processors, as glibc before 2.33 had it
}

const (
	cacheMagic, cacheOldMagic = "glibc-ld.so.cache1.1", "ld.so-1.7.0\x00"
	extensionMagic            = 0xeaa42174
	maxCached                 = 64 << 10
)

// parseCache reads a cache. One that the loader would not use is nil.
func parseCache(b []byte, big bool) *cache {
	var o binary.ByteOrder = binary.LittleEndian
	if big {
		o = binary.BigEndian
	}
	if bytes.HasPrefix(b, []byte(cacheOldMagic)) && len(b) >= 16 {
		// The new format follows the old one, at a multiple of 8.
		at := 16 + 12*uint64(o.Uint32(b[12:]))
		if at = (at + 7) / 8 * 8; at > uint64(len(b)) {
			return nil
		}
		b = b[at:]
	}
	if !bytes.HasPrefix(b, []byte(cacheMagic)) || len(b) < 48 {
		return nil
	}
	const orderMask, orderLittle, orderBig = 3, 2, 3
	switch order := b[28] & orderMask; {
	case order == orderLittle && big, order == orderBig && !big, order == 1:
		return nil
	}
	text := func(at uint32) (string, bool) {
		if uint64(at) >= uint64(len(b)) {
			return "", false
		}
		end := bytes.IndexByte(b[at:], 0)
		if end < 0 {
			return "", false
		}
		return string(b[at:][:end]), true
	}
	hwcaps := extension(b, o)
	c := &cache{entries: map[string][]cached{}}
	n := o.Uint32(b[20:])
	rest := b[48:]
	for range min(n, maxCached) {
		if len(rest) < 24 {
			return nil
		}
		name, ok := text(o.Uint32(rest[4:]))
		p, found := text(o.Uint32(rest[8:]))
		if !ok || !found {
			return nil
		}
		one := cached{path: p, flags: o.Uint32(rest)}
		const extended = 1 << 62
		switch hwcap := o.Uint64(rest[16:]); {
		case hwcap == 0:
		case hwcap>>32 == extended>>32:
			one.hwcap = "?"
			if at := uint32(hwcap); uint64(at) < uint64(len(hwcaps)) {
				if s, ok := text(hwcaps[at]); ok {
					one.hwcap = s
				}
			}
		default:
			one.legacy = true
		}
		c.entries[name] = append(c.entries[name], one)
		rest = rest[24:]
	}
	return c
}

// extension reads where the names of glibc-hwcaps folders stand.
func extension(b []byte, o binary.ByteOrder) (names []uint32) {
	at := uint64(o.Uint32(b[32:]))
	if at == 0 || at+8 > uint64(len(b)) || o.Uint32(b[at:]) != extensionMagic {
		return nil
	}
	const hwcaps = 1
	for n := range min(uint64(o.Uint32(b[at+4:])), 64) {
		s := at + 8 + 16*n
		if s+16 > uint64(len(b)) {
			return nil
		}
		from, size := uint64(o.Uint32(b[s+8:])), uint64(o.Uint32(b[s+12:]))
		if o.Uint32(b[s:]) != hwcaps || from+size > uint64(len(b)) {
			continue
		}
		for ; size >= 4 && len(names) < 256; from, size = from+4, size-4 {
			names = append(names, o.Uint32(b[from:]))
		}
	}
	return names
}

// cacheFlags are those that a loader takes (_dl_cache_check_flags).
var cacheFlags = map[string][]uint32{
	"amd64": {0x0303}, "386": {0x0003}, "arm64": {0x0a03}, "ppc64le": {0x0503}, "ppc64": {0x0503}, "s390x": {0x0403},
	"riscv64": {0x1003}, "loong64": {0x1203}, "mips": {0x0003}, "mipsle": {0x0003}, "mips64le": {0x0703}, "mips64": {0x0703}, "sparc64": {0x0103},
}

func (c *cache) find(name string, m object.Machine) (all []cached) {
	want := cacheFlags[m.Arch]
	if m.Arch == "arm" {
		if want = []uint32{0x0b03, 0x0003}; m.Note == "hard float" {
			want = []uint32{0x0903, 0x0003}
		}
	}
	for _, e := range c.entries[name] {
		for _, f := range want {
			if e.flags == f {
				all = append(all, e)
			}
		}
	}
	return all
}
