package loader

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/program/object"
)

// makeCache writes a cache as ldconfig does: name, path, flags, hwcap.
func makeCache(o binary.ByteOrder, order byte, entries [][4]any, hwcaps ...string) []byte {
	strs := ""
	at := func(s string) uint32 {
		n := 48 + 24*len(entries) + len(strs)
		strs += s + "\x00"
		return uint32(n)
	}
	var body []byte
	for _, e := range entries {
		one := make([]byte, 24)
		o.PutUint32(one, uint32(e[2].(int)))
		o.PutUint32(one[4:], at(e[0].(string)))
		o.PutUint32(one[8:], at(e[1].(string)))
		o.PutUint64(one[16:], uint64(e[3].(int)))
		body = append(body, one...)
	}
	var names []byte
	for _, h := range hwcaps {
		one := make([]byte, 4)
		o.PutUint32(one, at(h))
		names = append(names, one...)
	}
	head := make([]byte, 48)
	copy(head, cacheMagic)
	o.PutUint32(head[20:], uint32(len(entries)))
	o.PutUint32(head[24:], uint32(len(strs)))
	head[28] = order
	b := append(append(head, body...), strs...)
	if len(hwcaps) > 0 {
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		ext := make([]byte, 24)
		o.PutUint32(b[32:], uint32(len(b)))
		o.PutUint32(ext, extensionMagic)
		o.PutUint32(ext[4:], 1)
		o.PutUint32(ext[8:], 1)
		o.PutUint32(ext[16:], uint32(len(b)+24))
		o.PutUint32(ext[20:], uint32(len(names)))
		b = append(append(b, ext...), names...)
	}
	return b
}

func TestCache(t *testing.T) {
	entries := [][4]any{
		{"libc.so.6", "/v3/libc.so.6", 0x0303, 1 << 62},
		{"libc.so.6", "/lib/libc.so.6", 0x0303, 0},
		{"libc.so.6", "/lib32/libc.so.6", 0x0003, 0},
		{"libold.so", "/old/libold.so", 0x0303, 4},
	}
	amd64 := object.Machine{Arch: "amd64"}
	little := makeCache(binary.LittleEndian, 2, entries, "x86-64-v3")
	old := append([]byte(cacheOldMagic), 1, 0, 0, 0)
	old = append(old, make([]byte, 12)...)
	old = append(old, make([]byte, (8-len(old)%8)%8)...)
	for name, b := range map[string][]byte{"new": little, "after an old one": append(old, little...)} {
		c := parseCache(b, false)
		if c == nil {
			t.Fatalf("%s: not read", name)
		}
		got := c.find("libc.so.6", amd64)
		want := []cached{{path: "/v3/libc.so.6", flags: 0x303, hwcap: "x86-64-v3"}, {path: "/lib/libc.so.6", flags: 0x303}}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %+v", name, got)
		}
		if got := c.find("libold.so", amd64); len(got) != 1 || !got[0].legacy {
			t.Errorf("%s: got %+v", name, got)
		}
		if got := c.find("libc.so.6", object.Machine{Arch: "386"}); len(got) != 1 || got[0].path != "/lib32/libc.so.6" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if parseCache(little, true) != nil {
		t.Error("a cache of the other byte order is used")
	}
	if c := parseCache(makeCache(binary.BigEndian, 3, entries), true); c == nil || len(c.find("libc.so.6", amd64)) != 2 {
		t.Error("a cache of a big-endian machine is not read")
	}
}

func TestTexts(t *testing.T) {
	for _, c := range [][2]string{
		{upTo([]string{"GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.36", "GLIBC_PRIVATE"}, "GLIBC_2.38"), "has up to 2.36"},
		{upTo([]string{"CXXABI_1.3"}, "GLIBCXX_3.4.32"), "does not have it"},
		{upTo(nil, "X"), "does not have it"},
		{replace("$ORIGIN/../lib:${ORIGIN}:$ORIGINAL", "ORIGIN", "/a"), "/a/../lib:/a:$ORIGINAL"},
		{strings.Join(split("a;b::c", ":;"), ","), "a,b,,c"},
		{Absolute("/srv", "./x"), "//srv/./x"},
		{Absolute("/srv", "/x"), "/x"},
	} {
		if c[0] != c[1] {
			t.Errorf("got %q, want %q", c[0], c[1])
		}
	}
}

func FuzzCache(f *testing.F) {
	f.Add(makeCache(binary.LittleEndian, 2, [][4]any{{"a", "/b", 0x303, 1 << 62}}, "x86-64-v3"), false)
	f.Add(append([]byte(cacheOldMagic), 255, 255, 255, 255), true)
	f.Fuzz(func(t *testing.T, b []byte, big bool) {
		if c := parseCache(b, big); c != nil {
			c.find("a", object.Machine{Arch: "amd64"})
		}
	})
}
