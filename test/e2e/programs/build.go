package programs

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

type file = imagetest.File

// A base is a folder and what was kept of it as a layer.
type base struct {
	dir   string
	layer *rootfs.Layer
}

// newBase reads a folder as a layer, through a tar file as it would come from a
// registry.
func newBase(dir string) (*base, error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(archive(w, dir)) }()
	reader := rootfs.Reader{Budget: &rootfs.Budget{}}
	l, err := reader.Read(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	return &base{dir, l}, nil
}

func archive(w io.Writer, dir string) error {
	t := tar.NewWriter(w)
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		link := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if link, err = os.Readlink(p); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		if h.Name, err = filepath.Rel(dir, p); err != nil {
			return err
		}
		if err := t.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(t, f)
		return err
	})
	if err != nil {
		return err
	}
	return t.Close()
}

// view is the base with a layer above it.
func (b *base) view(files []file) (*rootfs.View, error) {
	reader := rootfs.Reader{Budget: &rootfs.Budget{}}
	top, err := reader.Read(bytes.NewReader(imagetest.Tar(files)))
	if err != nil {
		return nil, err
	}
	v := rootfs.NewView(2, false)
	v.Push(top)
	v.Push(b.layer)
	return v, nil
}

// unpack writes a layer as overlayfs wants its upper folder.
func unpack(dir string, files []file) error {
	for _, f := range files {
		p := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		var err error
		switch {
		case strings.HasPrefix(filepath.Base(p), ".wh."):
			err = syscall.Mknod(filepath.Join(filepath.Dir(p), strings.TrimPrefix(filepath.Base(p), ".wh.")), syscall.S_IFCHR, 0)
		case f.Dir:
			err = os.MkdirAll(p, 0o755)
		case f.Link != "":
			err = os.Symlink(f.Link, p)
		default:
			mode := fs.FileMode(f.Mode)
			if mode == 0 {
				mode = 0o644
			}
			if err = os.WriteFile(p, []byte(f.Body), mode); err == nil {
				err = os.Chmod(p, mode)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// gone takes a file away.
func gone(p string) file {
	p = strings.TrimPrefix(p, "/")
	return file{Name: filepath.Join(filepath.Dir(p), ".wh."+filepath.Base(p))}
}

// copied is a file of another folder, at a path of its own.
func copied(from, to string, mode int64) (file, error) {
	b, err := os.ReadFile(from)
	return file{Name: strings.TrimPrefix(to, "/"), Body: string(b), Mode: mode}, err
}
