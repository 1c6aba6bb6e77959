package rootfs

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync/atomic"

	"github.com/polyarch/polyarch/internal/program/object"
)

// A Budget bounds what all layers of a run may take. Its zero value is full.
type Budget struct {
	entries, names, symbols, texts atomic.Int64
}

const (
	maxEntries = 1 << 20  // files of which only the path counts
	maxNames   = 24 << 20 // bytes of paths and links that are kept, and of what keeps them
	maxSymbols = 16 << 20 // bytes
	maxTexts   = 4 << 20  // bytes
	maxBytes   = 64 << 30 // of one layer, decompressed
	maxPath    = 4096     // PATH_MAX of linux/limits.h
	maxScript  = 32 << 10
	maxCache   = 1 << 20
)

// Unreadable is a layer about which nothing can be said, for a reason that is
// not the layer's fault or the reader's: "it is encrypted".
type Unreadable struct{ Why string }

func (u *Unreadable) Error() string { return u.Why }

// A Reader reads layers. It is not safe for concurrent use; its memory is
// reused.
type Reader struct {
	Budget *Budget
	Jars   bool // look into jars as well, for libraries in them
	files  object.Reader
	raw    *bufio.Reader
}

// Read reads a layer, a tar file that may be compressed with gzip or zstd
// (eStargz and zstd:chunked are such), from its beginning to its end.
func (r *Reader) Read(layer io.Reader) (*Layer, error) {
	content, done, err := r.decompress(layer)
	if err != nil {
		return nil, err
	}
	defer func() { done(); r.raw.Reset(nil) }() // a reader that rests holds no layer
	content = &limited{content, maxBytes}
	t := tar.NewReader(content)
	l := newLayer()
	for n := 0; ; n++ {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			// What follows the end of a tar file is read as well: a caller that
			// passes the bytes on wants them all.
			if _, err := io.Copy(io.Discard, content); err != nil {
				return nil, fmt.Errorf("reading the layer: %w", err)
			}
			return l, nil
		case n == 0 && errors.Is(err, tar.ErrHeader):
			return nil, &Unreadable{"it is not a tar file in a known compression"}
		case err != nil:
			var known *Unreadable
			if errors.As(err, &known) {
				return nil, known
			}
			return nil, fmt.Errorf("reading the layer's tar file: %w", err)
		}
		if err := r.entry(l, h, t); err != nil {
			var known *Unreadable
			if errors.As(err, &known) {
				return nil, known
			}
			return nil, fmt.Errorf("reading %s in the layer: %w", path.Base(h.Name), err)
		}
	}
}

const whiteout, opaque = ".wh.", ".wh..wh..opq"

// entry takes in a header and what follows it, by OCI image-spec layer.md.
func (r *Reader) entry(l *Layer, h *tar.Header, content io.Reader) error {
	if len(h.Name) > maxPath || len(h.Linkname) > maxPath {
		return &Unreadable{"it has a path that is too long to be unpacked"}
	}
	p := Clean(h.Name)
	dir, base := path.Split(p)
	switch {
	case base == opaque:
		l.opaque[Clean(dir)] = struct{}{}
		return r.Budget.take(len(p) + overhead*(1+l.imply(p)))
	case strings.HasPrefix(base, whiteout):
		l.hidden[Clean(dir+strings.TrimPrefix(base, whiteout))] = struct{}{}
		return r.Budget.take(len(p) + overhead*(1+l.imply(p)))
	case p == "":
		return nil
	}
	e := &Entry{Mode: uint16(h.Mode & 0o7777)}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		if r.Jars && isJar(base) {
			if err := r.jar(l, p, content); err != nil {
				return err
			}
			l.add(p, e)
			return r.Budget.name(p)
		}
		if err := r.regular(e, p, h, content); err != nil {
			return err
		}
		if !e.Executable() && e.File.Kind == object.Other && e.Text == nil && !strings.Contains(base, ".so") {
			e = nil
		}
	case tar.TypeLink:
		e.Kind, e.Target = Hard, h.Linkname
	case tar.TypeSymlink:
		e.Kind, e.Target = Link, h.Linkname
	case tar.TypeDir:
		e.Kind = Folder
	case tar.TypeXGlobalHeader:
		return nil
	default:
		e.Kind = Special
	}
	if err := r.Budget.take(overhead * l.add(p, e)); err != nil {
		return err
	}
	if e == nil {
		if r.Budget.entries.Add(1) > maxEntries {
			return &Unreadable{"it has too many files to be looked at"}
		}
		return nil
	}
	return r.Budget.name(p + e.Target)
}

// overhead is about what an entry takes beside its name.
const overhead = 128

func (b *Budget) name(s string) error { return b.take(len(s) + overhead) }

func (b *Budget) take(n int) error {
	if b.names.Add(int64(n)) > maxNames {
		return &Unreadable{"it has too many files to be looked at"}
	}
	return nil
}

// regular reads what matters of a file's content.
func (r *Reader) regular(e *Entry, p string, h *tar.Header, content io.Reader) error {
	_, e.Caps = h.PAXRecords["SCHILY.xattr.security.capability"]
	f, head, err := r.files.Read(content, h.Size)
	if err != nil {
		return err
	}
	e.File = f
	if f.ELF != nil && f.ELF.Dynamic != nil && f.ELF.Dynamic.Symbols != nil {
		if r.Budget.symbols.Add(int64(f.ELF.Dynamic.Symbols.Size())) > maxSymbols {
			f.ELF.Dynamic.Symbols, f.ELF.Dynamic.Doubt = nil, "has symbols that were not kept: there are too many in all"
		}
	}
	if most := wanted(p, e); h.Size <= most && h.Size > 0 && r.Budget.texts.Add(h.Size) <= maxTexts {
		e.Text = make([]byte, h.Size)
		copy(e.Text, head)
		if int64(len(head)) < h.Size {
			if _, err := io.ReadFull(content, e.Text[len(head):]); err != nil {
				return err
			}
		}
	}
	return nil
}

// wanted returns how long a file may be whose text is kept.
func wanted(p string, e *Entry) int64 {
	base := path.Base(p)
	switch {
	case base == "ld.so.cache":
		return maxCache
	case p == "etc/ld.so.preload" || strings.HasPrefix(base, "ld-musl-") && strings.HasSuffix(base, ".path"):
		return maxPath
	case e.File.Kind == object.Script && shells[path.Base(e.File.Shebang.Interpreter)], e.File.Kind == object.Script && path.Base(e.File.Shebang.Interpreter) == "env",
		e.File.Kind == object.Other && strings.HasSuffix(base, ".sh"):
		return maxScript
	}
	return 0
}

var shells = map[string]bool{"sh": true, "bash": true, "dash": true, "ash": true, "ksh": true, "busybox": true, "sh\r": true, "bash\r": true}

// limited ends a layer that does not end by itself.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, &Unreadable{fmt.Sprintf("it has more than %d GiB", maxBytes>>30)}
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
