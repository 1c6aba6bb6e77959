package rootfs

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/flate"

	"github.com/polyarch/polyarch/internal/program/object"
)

const (
	maxArchived = 1 << 16 // files of one jar, those of jars in it included
	maxNested   = 3       // jars in jars: Spring Boot has two
)

// jars are the archives that programs load libraries out of.
func isJar(name string) bool {
	switch path.Ext(name) {
	case ".jar", ".war", ".ear":
		return true
	}
	return false
}

// An archive reads the programs and libraries in a jar as it passes by, from
// its local headers (PKWARE's APPNOTE.TXT, 4.3). It stops where they do not say
// how it goes on; nothing is refused for that.
type archive struct {
	found func(name string, f object.File) error
	left  int
}

const (
	localHeader     = 0x04034b50
	descriptor      = 0x08074b50
	stored, deflate = 0, 8
	hasDescriptor   = 8
	encryptedFlag   = 1
)

var errOpaque = errors.New("a jar that cannot be read in one pass")

func (a *archive) read(r io.Reader, prefix string, depth int) error {
	b := bufio.NewReaderSize(r, 32<<10)
	for {
		var h [30]byte
		if _, err := io.ReadFull(b, h[:]); err != nil {
			return errOpaque
		}
		if binary.LittleEndian.Uint32(h[:]) != localHeader {
			return nil // the central directory
		}
		if a.left--; a.left < 0 {
			return errOpaque
		}
		flags, method := binary.LittleEndian.Uint16(h[6:]), binary.LittleEndian.Uint16(h[8:])
		size := int64(binary.LittleEndian.Uint32(h[18:]))
		name := make([]byte, binary.LittleEndian.Uint16(h[26:]))
		if _, err := io.ReadFull(b, name); err != nil || len(name) > maxPath {
			return errOpaque
		}
		if _, err := b.Discard(int(binary.LittleEndian.Uint16(h[28:]))); err != nil {
			return errOpaque
		}
		unsized := flags&hasDescriptor != 0
		if flags&encryptedFlag != 0 || unsized && method == stored && size == 0 || size == 1<<32-1 || method != stored && method != deflate {
			return errOpaque
		}
		var content io.Reader = b
		if !unsized {
			content = io.LimitReader(b, size)
		}
		whole := content
		if method == deflate {
			z := flate.NewReader(content)
			defer z.Close()
			content = z
		} else if unsized {
			content = io.LimitReader(b, size)
			whole = content
		}
		if err := a.file(content, prefix+string(name), depth); err != nil {
			return err
		}
		if method == deflate && unsized {
			if _, err := io.Copy(io.Discard, content); err != nil {
				return errOpaque
			}
		} else if _, err := io.Copy(io.Discard, whole); err != nil {
			return errOpaque
		}
		if unsized {
			if err := skipDescriptor(b); err != nil {
				return err
			}
		}
	}
}

// skipDescriptor passes over what follows a file whose size stands behind it:
// 12 bytes, with or without a signature in front; 20 where sizes have 8 bytes.
func skipDescriptor(b *bufio.Reader) error {
	for _, n := range []int{16, 12, 24, 20} {
		next, err := b.Peek(n + 4)
		if err != nil {
			return errOpaque
		}
		signed := binary.LittleEndian.Uint32(next) == descriptor
		if signed != (n == 16 || n == 24) {
			continue
		}
		if then := binary.LittleEndian.Uint32(next[n:]); then == localHeader || then == 0x02014b50 || then == 0x08064b50 {
			_, err := b.Discard(n)
			return err
		}
	}
	return errOpaque
}

func (a *archive) file(content io.Reader, name string, depth int) error {
	base := path.Base(name)
	if isJar(base) && depth < maxNested {
		err := a.read(content, name+"!/", depth+1)
		if errors.Is(err, errOpaque) {
			err = nil
		}
		return err
	}
	if !mayBeLibrary(base) {
		return nil
	}
	head := make([]byte, object.HeadSize)
	n, err := io.ReadFull(content, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return errOpaque
	}
	f := object.Identify(head[:n])
	if f.Kind != object.Binary {
		return nil
	}
	return a.found(name, f)
}

// mayBeLibrary leaves out what is certainly not a library, so that classes cost
// nothing beyond being unpacked.
func mayBeLibrary(base string) bool {
	switch path.Ext(base) {
	case ".class", ".xml", ".properties", ".html", ".MF", ".png", ".java", ".txt", ".json", ".js", ".css":
		return false
	}
	return !strings.HasSuffix(base, "/")
}

// jar takes in the programs of a jar as files in a folder of its name.
func (r *Reader) jar(l *Layer, p string, content io.Reader) error {
	a := &archive{left: maxArchived, found: func(name string, f object.File) error {
		full := p + "!/" + Clean(name)
		if err := r.Budget.name(full); err != nil {
			return err
		}
		l.add(full, &Entry{Kind: Regular, Mode: 0o644, File: f})
		return nil
	}}
	err := a.read(content, "", 0)
	if errors.Is(err, errOpaque) {
		l.opaqueJars = append(l.opaqueJars, p)
		return nil
	}
	return err
}
