package object

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
)

// IsGlibcLoader reports whether the file is glibc's dynamic loader.
func (d *Dynamic) IsGlibcLoader() bool {
	name := path.Base(d.Soname)
	return strings.HasPrefix(name, "ld") && slices.Contains(d.Defs, "GLIBC_PRIVATE")
}

// IsMuslLoader reports whether the file is musl's libc, which is its dynamic
// loader as well.
func (d *Dynamic) IsMuslLoader() bool {
	return !d.Defines && d.Has(Ref{Name: "__libc_start_main"}, false) && d.Has(Ref{Name: "dlopen"}, false) && d.Has(Ref{Name: "__dls2b"}, false)
}

// loader reads the default folders and the cache's path that are compiled into
// glibc's loader: distributions differ. The folders stand one after the other,
// each with a slash at its end and a zero byte.
func (d *Dynamic) loader(c *Content) {
	b := c.Head()
	if d.IsGlibcLoader() || d.Soname == "libc.so.6" {
		d.Release = release(b)
	}
	if d.IsMuslLoader() {
		d.Release = string(muslRelease.Find(b))
		d.Release = strings.Trim(d.Release, "\x00")
	}
	if !d.IsGlibcLoader() {
		return
	}
	const mark = "/ld.so.cache\x00"
	if at := bytes.Index(b, []byte(mark)); at >= 0 {
		from := bytes.LastIndexByte(b[:at], 0) + 1
		d.CachePath = string(b[from : at+len(mark)-1])
	}
	for at := 0; at < len(b); {
		next := bytes.Index(b[at:], []byte("\x00/"))
		if next < 0 {
			return
		}
		at += next + 1
		var dirs []string
		rest := b[at:]
		for len(rest) > 0 && rest[0] == '/' {
			end := bytes.IndexByte(rest, 0)
			if end < 2 || end > maxPath || rest[end-1] != '/' || !printable(rest[:end]) {
				break
			}
			dirs = append(dirs, path.Clean(string(rest[:end])))
			rest = rest[end+1:]
		}
		// What stands before the list in one of its copies may look like a part of
		// its first folder: the longest list is the whole one.
		if len(dirs) >= 2 && strings.Contains(dirs[0], "lib") && len(dirs) > len(d.SystemDirs) {
			d.SystemDirs = dirs
		}
	}
}

func printable(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// muslRelease is what musl prints when its loader is run: "Version 1.2.3".
var muslRelease = regexp.MustCompile(`\x001\.[0-9]\.[0-9]{1,2}(-git-[-0-9a-g]+)?\x00`)

// release finds glibc's release in the text that it prints when it is run:
// "stable release version 2.36."
func release(b []byte) string {
	const mark = "release version "
	at := bytes.Index(b, []byte(mark))
	if at < 0 {
		return ""
	}
	b = b[at+len(mark):]
	n := 0
	for n < min(len(b), 16) && (b[n] == '.' || b[n] >= '0' && b[n] <= '9') {
		n++
	}
	return strings.TrimRight(string(b[:n]), ".")
}
