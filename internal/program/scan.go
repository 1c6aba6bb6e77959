package program

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxEntries bounds how many entries of a layer are looked at.
const maxEntries = 2 << 20

// An Entry is one file of a layer.
type Entry struct {
	Path string // without a leading slash; "" is the root
	File File
	Hard string // if not empty: the same file as the one at this path

	Whiteout bool // lower layers' file at Path is gone
	Opaque   bool // lower layers' files in the folder Path are gone
}

// Scan reads a layer, a tar file that may be compressed with gzip or zstd
// (eStargz and zstd:chunked are such), and calls visit with each entry until
// it returns false. It reads no more than it has to.
func Scan(r io.Reader, visit func(Entry) bool) error {
	r, closer, err := decompress(r)
	if err != nil {
		return err
	}
	defer closer()
	t := tar.NewReader(r)
	head := make([]byte, HeadSize)
	for n := 0; ; n++ {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the layer's tar file: %w", err)
		case n == maxEntries:
			return fmt.Errorf("reading the layer's tar file: it has more than %d entries", maxEntries)
		}
		e, ok, err := entry(h, t, head)
		if err != nil {
			return fmt.Errorf("reading %s in the layer: %w", h.Name, err)
		}
		if ok && !visit(e) {
			return nil
		}
	}
}

const whiteout, opaque = ".wh.", ".wh..wh..opq"

// entry makes an Entry of a header, following OCI image-spec layer.md.
func entry(h *tar.Header, content io.Reader, head []byte) (e Entry, ok bool, err error) {
	e.Path = clean(h.Name)
	dir, base := path.Split(e.Path)
	switch {
	case base == opaque:
		return Entry{Path: clean(dir), Opaque: true}, true, nil
	case strings.HasPrefix(base, whiteout):
		return Entry{Path: clean(dir + strings.TrimPrefix(base, whiteout)), Whiteout: true}, true, nil
	}
	switch h.Typeflag {
	case tar.TypeReg:
		n, err := io.ReadFull(content, head)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return e, false, err
		}
		if int64(n) < min(h.Size, HeadSize) {
			return e, false, io.ErrUnexpectedEOF
		}
		e.File = Identify(head[:n])
	case tar.TypeLink:
		e.Hard = clean(h.Linkname)
	case tar.TypeSymlink:
		e.File = File{Kind: Symlink, Link: h.Linkname}
	case tar.TypeDir:
		e.File = File{Kind: Directory}
	default:
		e.File = File{Kind: Other}
	}
	e.File.Mode = uint32(h.Mode) & 0o777
	return e, true, nil
}

func clean(p string) string { return strings.TrimPrefix(path.Clean("/"+p), "/") }

// decompress looks at the first bytes, since media types lie.
func decompress(r io.Reader) (io.Reader, func(), error) {
	b := bufio.NewReaderSize(r, 32<<10)
	magic, err := b.Peek(4)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, nil, err
	case strings.HasPrefix(string(magic), "\x1f\x8b"):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the layer: %w", err)
		}
		return z, func() { z.Close() }, nil
	case string(magic) == "\x28\xb5\x2f\xfd", len(magic) == 4 && magic[0]&0xf0 == 0x50 && string(magic[1:]) == "\x2a\x4d\x18":
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, nil, fmt.Errorf("reading the layer: %w", err)
		}
		return z, z.Close, nil
	}
	return b, func() {}, nil
}
