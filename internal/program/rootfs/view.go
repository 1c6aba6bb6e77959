package rootfs

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A View is an image's file system, seen from the top layer down. Lower layers
// may still be unread: what depends on them is ErrBelow.
type View struct {
	layers []*Layer // the top one first
	total  int
	fold   bool
}

// NewView makes the view of an image of that many layers, none of them read.
// On Windows names have no case.
func NewView(total int, windows bool) *View { return &View{total: total, fold: windows} }

// Push adds the next lower layer.
func (v *View) Push(l *Layer) {
	if v.fold {
		l = l.fold()
	}
	v.layers = append(v.layers, l)
}

// Complete reports whether all layers were added.
func (v *View) Complete() bool { return len(v.layers) == v.total }

// Total returns how many layers the image has.
func (v *View) Total() int { return v.total }

// A Found is a file that a path leads to.
type Found struct {
	Path  string // without links, without a leading slash
	Layer int    // from 0, the top one
	*Entry
}

// Why nothing is found.
var (
	ErrBelow   = errors.New("the layers below were not read")
	ErrMissing = errors.New("no such file or directory")
	ErrNoDir   = errors.New("not a directory")
	ErrLoop    = errors.New("too many levels of symbolic links")
)

// An Unclear path is one that runtimes see differently.
type Unclear struct{ Why string }

func (u *Unclear) Error() string { return u.Why }

// maxLinks is MAXSYMLINKS of Linux.
const maxLinks = 40

var folder = &Entry{Kind: Folder, Mode: 0o755}

// Find follows a path, links along it and at its end, from the root.
func (v *View) Find(p string) (Found, error) { return v.find(p, true) }

// Link is Find that does not follow a link at the end.
func (v *View) Link(p string) (Found, error) { return v.find(p, false) }

// A spot is a folder on the way: its path, and the lowest layer whose files
// show in it.
type spot struct {
	path    string
	floor   int
	unclear *Unclear // a lower layer has a link where a higher one implies the folder
}

func (v *View) find(p string, follow bool) (Found, error) {
	if v.fold {
		p = strings.ToLower(p)
	}
	rest := strings.Split(p, "/")
	at := []spot{{"", v.total - 1, nil}}
	f := Found{Entry: folder}
	links := 0
	for n := 0; len(rest) > 0; n++ {
		name := rest[0]
		rest = rest[1:]
		here := at[len(at)-1]
		switch name {
		case "", ".":
			continue
		case "..":
			at = at[:max(1, len(at)-1)]
			f = Found{Path: at[len(at)-1].path, Entry: folder}
			continue
		}
		if n > 4096 { // names in links of links
			return f, ErrLoop
		}
		found, next, err := v.child(here, name)
		if err != nil {
			return found, err
		}
		f = found
		last := !slices.ContainsFunc(rest, func(s string) bool { return s != "" && s != "." })
		switch {
		case f.Kind == Link && (follow || !last || len(rest) > 0):
			if links++; links > maxLinks {
				return f, ErrLoop
			}
			if strings.HasPrefix(f.Target, "/") {
				at = at[:1]
			}
			rest = append(strings.Split(f.Target, "/"), rest...)
			f = Found{Path: at[len(at)-1].path, Entry: folder}
		case f.Kind == Folder:
			at = append(at, next)
		case len(rest) > 0:
			return f, ErrNoDir
		}
	}
	if f.Entry.Kind == Hard {
		return v.hard(f)
	}
	return f, nil
}

// child finds a name in a folder.
func (v *View) child(in spot, name string) (Found, spot, error) {
	p := path.Join(in.path, name)
	top := Found{Path: p, Layer: -1}
	next := spot{path: p, floor: in.floor, unclear: in.unclear}
	last := min(in.floor, len(v.layers)-1)
	implied := -1
	for n := 0; n <= last; n++ {
		l := v.layers[n]
		e, ok := l.at(p)
		_, imply := l.implied[p]
		switch {
		case ok && e.Kind == Folder:
			if top.Layer < 0 {
				top.Layer, top.Entry = n, e
			}
			implied = -2 // from here down it is a folder whatever is below
		case ok && top.Layer < 0:
			return Found{Path: p, Layer: n, Entry: e}, next, nil
		case ok:
			if e.Kind == Link && implied >= 0 {
				next.unclear = &Unclear{fmt.Sprintf("/%s is a link in one layer and a folder without an entry in a layer above, which runtimes treat differently", p)}
			}
			next.floor = n - 1
			return top, next, nil
		case imply && top.Layer < 0:
			top.Layer, top.Entry, implied = n, folder, n
		}
		if _, hidden := l.hidden[p]; hidden {
			next.floor = n
			break
		}
		if _, opaque := l.opaque[p]; opaque {
			next.floor = n
			if top.Layer < 0 {
				top.Layer, top.Entry = n, folder
			}
			break
		}
	}
	switch {
	case top.Layer >= 0:
		return top, next, nil
	case next.floor < in.floor || last == in.floor:
		if in.unclear != nil {
			return top, next, in.unclear
		}
		return top, next, ErrMissing
	}
	return top, next, ErrBelow
}

// hard returns the file that a hard link is another name of: in the same layer,
// or in one below.
func (v *View) hard(f Found) (Found, error) {
	for range 8 {
		target := Clean(f.Target)
		e, ok := v.layers[f.Layer].at(target)
		if !ok {
			below := &View{layers: v.layers[f.Layer+1:], total: v.total - f.Layer - 1, fold: v.fold}
			g, err := below.Link(target)
			if err != nil {
				return f, err
			}
			g.Path, g.Layer = f.Path, g.Layer+f.Layer+1
			return g, nil
		}
		f.Entry = e
		if e.Kind != Hard {
			return f, nil
		}
	}
	return f, ErrLoop
}

// Named returns what the paths lead to whose last name is one, where anybody
// may start it. It needs all layers.
func (v *View) Named(name string) (all []Found) {
	for _, l := range v.layers {
		for p := range l.entries {
			if path.Base(p) != name {
				continue
			}
			if f, err := v.Find(p); err == nil && f.Kind == Regular && f.Executable() {
				all = append(all, f)
			}
		}
	}
	slices.SortFunc(all, func(a, b Found) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(all, func(a, b Found) bool { return a.Path == b.Path })
}

// Each calls visit with every file of the view that was kept, links left out,
// in order of their paths.
func (v *View) Each(visit func(Found)) {
	seen := map[string]bool{}
	var paths []string
	for _, l := range v.layers {
		for p, e := range l.entries {
			if e.Kind != Link && e.Kind != Folder && !seen[p] {
				seen[p] = true
				paths = append(paths, p)
			}
		}
	}
	slices.Sort(paths)
	for _, p := range paths {
		if f, err := v.Link(p); err == nil && f.Path == p {
			visit(f)
		}
	}
}

// Unread returns the jars that could not be looked into.
func (v *View) Unread() (all []string) {
	for _, l := range v.layers {
		all = append(all, l.opaqueJars...)
	}
	return all
}

// Libraries returns the files of the whole view with a name, to say where a
// library is that was not found.
func (v *View) Libraries(name string) (all []Found) {
	v.Each(func(f Found) {
		if path.Base(f.Path) == name {
			all = append(all, f)
		}
	})
	return all
}
