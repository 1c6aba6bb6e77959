package cluster

import (
	"archive/tar"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A layer is an image's tar archive in the making. Owners and times are left out.
type layer struct {
	w    *tar.Writer
	made map[string]bool // folders that are in it
}

// add puts what source names at name: a file, a folder with all that is in it, or "-> PATH".
func (l layer) add(name, source string) error {
	if target, ok := strings.CutPrefix(source, "-> "); ok {
		return l.link(name, target)
	}
	return filepath.WalkDir(source, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(source, file)
		if err != nil {
			return err
		}
		return l.entry(path.Join(name, filepath.ToSlash(rel)), file, d)
	})
}

func (l layer) entry(name, file string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case d.IsDir():
		return l.folder(name, int64(info.Mode().Perm()))
	case d.Type() == fs.ModeSymlink:
		target, err := os.Readlink(file)
		if err != nil {
			return err
		}
		return l.link(name, target)
	case d.Type().IsRegular():
		mode := int64(info.Mode().Perm())
		if info.Mode()&fs.ModeSetuid != 0 {
			mode |= 0o4000
		}
		return l.file(name, file, mode)
	}
	return nil
}

func (l layer) folder(name string, mode int64) error {
	if l.made[name] {
		return nil
	}
	l.made[name] = true
	if err := l.folder(path.Dir(name), 0o755); err != nil {
		return err
	}
	return l.w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(name, "/") + "/", Mode: mode})
}

func (l layer) link(name, target string) error {
	if err := l.folder(path.Dir(name), 0o755); err != nil {
		return err
	}
	return l.w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: strings.TrimPrefix(name, "/"), Linkname: target, Mode: 0o777})
}

func (l layer) file(name, source string, mode int64) error {
	if err := l.folder(path.Dir(name), 0o755); err != nil {
		return err
	}
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	if err := l.w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(name, "/"), Mode: mode, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err = l.w.Write(content)
	return err
}
