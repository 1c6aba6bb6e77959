package program

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/program/loader"
	"github.com/polyarch/polyarch/internal/program/object"
	"github.com/polyarch/polyarch/internal/program/rootfs"
)

// resolve finds a program by name, as the one who starts it does. Without an
// entry the result says why.
func (w *walk) resolve(name string, st state, how how) (rootfs.Found, result) {
	if strings.Contains(name, "/") || how == byKernel {
		return w.direct(name, st)
	}
	if st.unknown["PATH"] {
		return w.anywhere(name, "by a PATH that is not known")
	}
	dirs := strings.Split(st.env["PATH"], ":")
	if st.env["PATH"] == "" {
		dirs = []string{"/bin", "/usr/bin"} // execvp's own
		if how == byRuntime {
			dirs = nil
		}
	}
	var refused *rootfs.Found
	for _, dir := range dirs {
		if dir == "" {
			if how == byRuntime { // LookPath returns ErrDot for what is there
				continue
			}
			dir = "."
		}
		if !strings.HasPrefix(dir, "/") && st.noCwd != "" {
			return w.anywhere(name, "by a PATH that has "+dir)
		}
		f, err := w.view.Find(loader.Absolute(st.cwd, dir) + "/" + name)
		if r, unseen := w.unseen(err); unseen {
			return rootfs.Found{}, r
		}
		switch {
		case err != nil || f.Kind != rootfs.Regular:
			continue
		case !f.Executable():
			refused = &f
			continue
		case !w.root && f.Mode&1 == 0:
			return rootfs.Found{}, doubt("/%s can be executed by some users alone", f.Path)
		}
		return f, result{}
	}
	if refused != nil {
		return rootfs.Found{}, wrong("/%s is not executable, and no other %s is in PATH", refused.Path, name)
	}
	if how == byShell && w.applets() {
		return rootfs.Found{}, doubt("%s is not in PATH, and may be a part of busybox", name)
	}
	return rootfs.Found{}, wrong("%s is not in the folders of PATH, %s", name, st.env["PATH"])
}

// unseen reports whether a look-up failed because of what was not read or
// cannot be told, and what follows.
func (w *walk) unseen(err error) (result, bool) {
	var unclear *rootfs.Unclear
	switch {
	case errors.Is(err, rootfs.ErrBelow):
		w.below = true
		return result{}, true
	case errors.As(err, &unclear):
		return doubt("%s", unclear.Why), true
	}
	return result{}, false
}

// direct finds a program by its path.
func (w *walk) direct(name string, st state) (rootfs.Found, result) {
	if !strings.HasPrefix(name, "/") && st.noCwd != "" {
		return rootfs.Found{}, doubt("%s is in a folder that is not known: %s", name, st.noCwd)
	}
	f, err := w.view.Find(loader.Absolute(st.cwd, name))
	if r, unseen := w.unseen(err); unseen {
		return rootfs.Found{}, r
	}
	switch {
	case errors.Is(err, rootfs.ErrMissing):
		return rootfs.Found{}, wrong("%s is not in the image", name)
	case err != nil:
		return rootfs.Found{}, wrong("%s: %s", name, err)
	case f.Kind == rootfs.Folder:
		return rootfs.Found{}, wrong("%s is a folder", name)
	case f.Kind != rootfs.Regular:
		return rootfs.Found{}, wrong("%s is not a regular file", name)
	case !f.Executable():
		return rootfs.Found{}, wrong("/%s is not executable%s", f.Path, unreadable(f))
	case !w.root && f.Mode&1 == 0:
		return rootfs.Found{}, doubt("/%s can be executed by some users alone", f.Path)
	}
	return f, result{}
}

func unreadable(f rootfs.Found) string {
	if f.File.Kind == object.Other {
		return ""
	}
	return ": chmod +x is missing"
}

// anywhere is for a search that cannot be followed: if nothing of that name in
// all of the image fits, it does not matter where it looks.
func (w *walk) anywhere(name, why string) (rootfs.Found, result) {
	if !w.view.Complete() {
		w.below = true
		return rootfs.Found{}, result{}
	}
	all := w.view.Named(name)
	if len(all) > 0 && !slices.ContainsFunc(all, func(f rootfs.Found) bool {
		return f.File.Kind != object.Binary || f.File.Machine.Fits(w.platform)
	}) {
		f := all[0]
		return rootfs.Found{}, wrong("/%s is %s, and the image says that it is for %s; it is in layer %d of %d", f.Path, f.File.Machine, w.platform, w.view.Total()-f.Layer, w.view.Total())
	}
	return rootfs.Found{}, doubt("%s is looked for %s", name, why)
}

// applets reports whether the image has busybox, whose shell has programs in it.
func (w *walk) applets() bool {
	for _, p := range []string{"/bin/busybox", "/usr/bin/busybox", "/bin/sh"} {
		f, err := w.view.Find(p)
		if err == nil && strings.HasPrefix(path.Base(f.Path), "busybox") {
			return true
		}
	}
	return len(w.view.Named("busybox")) > 0
}
