package program

import (
	"path"
	"slices"
	"strings"
)

// A Tree is an image's file system, put together from the top layer down. A
// lower layer is added when those above it are complete.
type Tree struct {
	layers []layer // the top one first
	total  int     // how many the image has
	fold   bool    // names have no case
}

type layer struct {
	files    map[string]File
	hidden   map[string]bool // whiteouts
	opaque   map[string]bool
	complete bool
}

// NewTree makes the tree of an image of that many layers, none of them read.
// On Windows names have no case.
func NewTree(layers int, windows bool) *Tree { return &Tree{total: layers, fold: windows} }

// Begin starts the next lower layer.
func (t *Tree) Begin() {
	t.layers = append(t.layers, layer{files: map[string]File{}, hidden: map[string]bool{}, opaque: map[string]bool{}})
}

// Add takes in an entry of the layer begun last.
func (t *Tree) Add(e Entry) {
	l := &t.layers[len(t.layers)-1]
	if t.fold {
		e.Path, e.Hard = strings.ToLower(e.Path), strings.ToLower(e.Hard)
	}
	switch {
	case e.Opaque:
		l.opaque[e.Path] = true
	case e.Whiteout:
		l.hidden[e.Path] = true
	case e.Hard != "":
		if f, ok := l.files[e.Hard]; ok {
			l.files[e.Path] = f
		} else { // a file of a lower layer: the same as leading there
			l.files[e.Path] = File{Kind: Symlink, Link: "/" + e.Hard}
		}
	default:
		l.files[e.Path] = e.File
	}
}

// End says that the layer begun last has no more entries.
func (t *Tree) End() { t.layers[len(t.layers)-1].complete = true }

// complete reports whether nothing is left to read.
func (t *Tree) complete() bool {
	n := len(t.layers)
	return n == t.total && (n == 0 || t.layers[n-1].complete)
}

// between reports whether no layer is half read.
func (t *Tree) between() bool {
	n := len(t.layers)
	return n == 0 || t.layers[n-1].complete
}

// at gives the file that stands at a path itself, and its layer, from the top.
func (t *Tree) at(p string) (f File, depth int, ok bool) {
	for i := range t.layers {
		l := &t.layers[i]
		if f, ok := l.files[p]; ok {
			return f, i, true
		}
		if l.hides(p) {
			return File{}, i, false
		}
	}
	return File{}, 0, false
}

// hides reports whether the layer takes p of lower layers away.
func (l *layer) hides(p string) bool {
	for at := p; ; at = parent(at) {
		if l.hidden[at] || at != p && l.opaque[at] {
			return true
		}
		if at == "" {
			return false
		}
	}
}

func parent(p string) string { return clean(path.Dir(p)) }

const maxLinks = 40 // as Linux has it

// find follows links along the path and at its end, and gives where it led.
// Without ok there is no such file in what was read.
func (t *Tree) find(p string) (at string, f File, depth int, ok bool) {
	rest := strings.Split(clean(p), "/")
	links := 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = parent(at)
			continue
		}
		next := path.Join(at, name)
		var known bool
		f, depth, known = t.at(next)
		switch {
		case known && f.Kind == Symlink:
			if links++; links > maxLinks {
				return next, File{}, 0, false
			}
			if strings.HasPrefix(f.Link, "/") {
				at = ""
			}
			rest = append(strings.Split(f.Link, "/"), rest...)
			continue
		case known && f.Kind != Directory && len(rest) > 0:
			return next, File{}, 0, false
		case !known && len(rest) == 0:
			return next, File{}, 0, false
		}
		at = next // a folder need not have an entry of its own
	}
	return at, f, depth, f.Kind != Directory && f.Kind != Symlink && at != ""
}

// InPath gives the programs in the folders of PATH and in the working folder,
// sorted by path: what an image can start beside what it does start. Programs
// in other folders may be data, as a compiler's tests are.
func (t *Tree) InPath(s Start) []Found {
	folders := map[string]bool{}
	for _, dir := range append(s.folders(), s.WorkingDir) {
		if s.Windows {
			dir = "files/" + windowsPath(dir)
		}
		dir = clean(dir)
		if at, _, _, _ := t.find(dir); at != "" {
			dir = at
		}
		folders[dir] = true
	}
	var found []Found
	seen := map[string]bool{}
	for _, l := range t.layers {
		for p, f := range l.files {
			if !folders[parent(p)] || seen[p] {
				continue
			}
			seen[p] = true
			if f.Kind != Binary || !f.Program || !s.Windows && !f.Executable() {
				continue
			}
			if at, g, depth, ok := t.find(p); ok && at == p { // not hidden by a layer above
				found = append(found, Found{Path: p, Layer: depth, File: g})
			}
		}
	}
	slices.SortFunc(found, func(a, b Found) int { return strings.Compare(a.Path, b.Path) })
	return found
}
