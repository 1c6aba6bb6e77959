package kubeyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

const (
	maxLists  = 32
	maxVisits = 50_000 // steps beyond two for each byte, which aliases can multiply
)

// visit counts a step, so that aliases of aliases end somewhere.
func (d *Document) visit(at *node) error {
	if d.visits++; d.visits > maxVisits+2*len(d.chunk.Bytes) {
		return exit.Failf("aliases multiply what the document holds, more than %d times in all", maxVisits).OnLine(at.line, 0).
			Hint("write out what the aliases stand for")
	}
	return nil
}

// take counts what is taken out of the document, each time that an alias repeats
// it. Without aliases there is less of it than values.
func (d *Document) take(at *node) error {
	if d.taken++; d.taken > maxParsed {
		return exit.Failf("aliases multiply what Pods hold to more than %d values", maxParsed).OnLine(at.line, 0).
			Hint("write out what the aliases stand for")
	}
	return nil
}

// find takes the workloads of an object, and of the objects of a list; in is
// the list that the object is in.
func (d *Document) find(obj *node, in List, depth int) error {
	if err := d.visit(obj); err != nil {
		return err
	}
	if obj = obj.resolve(); obj.kind != mapping {
		return nil
	}
	if err := d.decides(obj, "apiVersion", "kind", "items", "objects"); err != nil {
		return err
	}
	if err := spelt(obj); err != nil {
		return err
	}
	if err := unrendered(obj); err != nil {
		return err
	}
	apiVersion, kind := obj.text("apiVersion"), obj.text("kind")
	if apiVersion == "" && kind == "" { // as the API machinery reads the items of a typed list
		apiVersion, kind = in.APIVersion, in.Kind
	}
	if _, items := obj.get("items"); items != nil && kind != "" && items.resolve().kind == sequence {
		// any object with items is a list to the API machinery, whatever its kind:
		// k8s.io/apimachinery pkg/apis/meta/v1/unstructured/helpers.go (decode)
		if err := d.list(items.resolve(), List{apiVersion, strings.TrimSuffix(kind, "List")}, depth); err != nil {
			return err
		}
	}
	if _, objects := obj.get("objects"); objects != nil && kind == "Template" && (apiVersion == "v1" || group(apiVersion) == "template.openshift.io") {
		return d.list(objects.resolve(), List{}, depth)
	}
	if kind == "" {
		return nil
	}
	if apiVersion == "v1" && slices.Contains(d.reader.Others, kind) {
		return d.other(obj, kind)
	}
	found := len(d.Workloads)
	for _, p := range d.reader.Kinds.specPaths(apiVersion, kind) {
		if err := d.descend(step{obj: obj, apiVersion: apiVersion, kind: kind, holder: p, first: found}, obj, obj, p.path, ""); err != nil {
			return err
		}
	}
	if why := d.partial(obj, apiVersion, d.Workloads[found:]); why != "" && len(d.Workloads) > found {
		d.Workloads = d.Workloads[:found]
		d.Left = append(d.Left, Left{Object: strings.TrimSpace(kind + " " + nameOf(obj)), Line: obj.line, Why: why})
		return nil
	}
	name := group(apiVersion) + "/" + kind
	if podless[name] != "" || apiVersion == "" {
		return nil
	}
	noted := len(d.Unread)
	if err := d.unread(obj, name, "", 0); err != nil || len(d.Unread) > noted {
		return err
	}
	if d.complete(obj, apiVersion, kind, d.Workloads[found:]) {
		return nil
	}
	return d.unnamed(obj, name)
}

func (d *Document) list(items *node, of List, depth int) error {
	if depth == maxLists {
		return exit.Failf("lists are nested more than %d deep", maxLists).OnLine(items.line, 0)
	}
	for _, item := range items.kids {
		if err := d.find(item, of, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// unrendered refuses an object whose kind or API version a template leaves open.
func unrendered(obj *node) error {
	for _, key := range []string{"apiVersion", "kind"} {
		k, v := obj.get(key)
		if v == nil {
			continue
		}
		if v = v.resolve(); v.kind != scalar && v.flow || v.kind == scalar && strings.Contains(v.str(), "{{") {
			return exit.Failf("%s is not a text, so what the object is remains open", key).OnLine(k.line, k.col).
				Hint("render the template first; helm template does")
		}
	}
	return nil
}

// partial says why an object is a part of one only, or returns "". A patch has
// the form of what it changes: strategic merge replaces the node selector terms
// of the base by its own, so that what is added to it would take effect alone.
func (d *Document) partial(obj *node, apiVersion string, found []*Workload) string {
	directive := ""
	for _, w := range found {
		if directive == "" {
			directive = directiveIn(w.pod)
		}
	}
	if directive == "" {
		directive = directiveIn(obj)
	}
	switch {
	case directive != "":
		return "it has the patch directive " + directive
	case apiVersion != "apps/v1":
		return ""
	}
	if spec := child(obj, "spec"); child(spec, "selector") == nil {
		return "it has no spec.selector, which " + apiVersion + " demands, so it is a patch"
	}
	return ""
}

// patchKeys of strategic merge patches:
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
var patchKeys = []string{"$patch", "$retainKeys"}

func directiveIn(m *node) string {
	if m == nil || m.kind != mapping {
		return ""
	}
	for i, k := range m.keys {
		key := k.resolve()
		if key.kind == scalar && (slices.Contains(patchKeys, key.value) || strings.HasPrefix(key.value, "$setElementOrder/") || strings.HasPrefix(key.value, "$deleteFromPrimitiveList/")) {
			return key.value
		}
		v := m.kids[i].resolve()
		items := []*node{v}
		if v.kind == sequence {
			items = v.kids
		}
		if !key.is("spec") && !key.is("template") && !key.is("containers") && !key.is("initContainers") && !key.is("affinity") && !key.is("nodeAffinity") {
			continue
		}
		for _, item := range items {
			if s := directiveIn(item.resolve()); s != "" {
				return s
			}
		}
	}
	return ""
}

func nameOf(obj *node) string {
	meta := child(obj, "metadata")
	if meta == nil {
		return ""
	}
	if name := meta.text("name"); name != "" {
		return name
	}
	return meta.text("generateName")
}

// maxUnread is how deep containers are looked for in kinds that are not known.
const maxUnread = 40

// unread notes the mappings with containers that belong to no workload.
func (d *Document) unread(n *node, kind, path string, depth int) error {
	if depth > maxUnread {
		return nil
	}
	if err := d.visit(n); err != nil {
		return err
	}
	n = n.resolve()
	if n.kind != mapping {
		return nil
	}
	if d.pods[n] {
		return nil
	}
	if _, v := n.get("containers"); v != nil && path != "" && runs(v.resolve()) {
		d.Unread = append(d.Unread, Unread{Kind: strings.TrimPrefix(kind, "/"), Path: path, Line: n.line})
		return nil
	}
	for i, k := range n.keys {
		key, v := k.resolve(), n.kids[i].resolve()
		if key.kind != scalar || path == "" && slices.Contains([]string{"items", "status", "metadata"}, key.value) || k.isMerge() {
			continue
		}
		below := strings.TrimPrefix(path+"."+key.value, ".")
		kids := []*node{v}
		if v.kind == sequence {
			below, kids = below+"[*]", v.kids
		}
		found := len(d.Unread)
		for _, kid := range kids {
			if err := d.unread(kid, kind, below, depth+1); err != nil {
				return err
			}
			if len(d.Unread) > found { // its siblings are alike
				break
			}
		}
	}
	return nil
}

// runs reports whether a value is a list of containers.
func runs(v *node) bool {
	return v.kind == sequence && slices.ContainsFunc(v.kids, func(c *node) bool {
		c = c.resolve()
		if c.kind != mapping {
			return false
		}
		_, image := c.get("image")
		return image != nil
	})
}

// A step is on the way to a PodSpec.
type step struct {
	obj              *node
	apiVersion, kind string
	holder           specPath
	first            int // workload of this object
}

// named notes the flag that names the place.
func (w *Workload) named(p specPath) {
	if p.flag != "" {
		w.Flags = append(w.Flags, p.flag)
	}
}

// descend follows the path to the PodSpecs of an object; parent is the key of at.
func (d *Document) descend(s step, at, parent *node, path []string, done string) error {
	if err := d.visit(at); err != nil {
		return err
	}
	if len(path) == 0 {
		return d.workload(s, at, parent, done)
	}
	if at.kind != mapping {
		return nil
	}
	if path[0] == "*" {
		for i, k := range at.keys {
			if v := at.kids[i].resolve(); v.kind == mapping && !k.isMerge() {
				if err := d.descend(s, v, k, path[1:], done+"."+k.resolve().value); err != nil {
					return err
				}
			}
		}
		return nil
	}
	key, all := strings.CutSuffix(path[0], "[*]")
	if done != "" {
		done += "."
	}
	done += key
	if err := d.decides(at, key); err != nil {
		return err
	}
	k, v := at.get(key)
	if v == nil || v.resolve().null {
		return nil
	}
	if v = v.resolve(); !all {
		return d.descend(s, v, k, path[1:], done)
	}
	for i, item := range v.kids {
		if v.kind != sequence || item.resolve().null {
			continue
		}
		if err := d.descend(s, item.resolve(), k, path[1:], fmt.Sprintf("%s[%d]", done, i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *Document) workload(s step, spec, parent *node, path string) error {
	if spec.kind != mapping {
		return exit.Failf("%s is not a mapping", path).OnLine(spec.line, spec.col)
	}
	for _, w := range d.Workloads[s.first:] { // a place that is named twice, by a flag and in the table
		if w.path == path {
			w.named(s.holder)
			return nil
		}
	}
	if d.pods == nil {
		d.pods = map[*node]bool{}
	}
	d.pods[spec] = true
	if f := s.holder.form; f != nil && slices.ContainsFunc(f.against, func(path string) bool { return present(s.obj, strings.Split(path, ".")) }) {
		return nil
	}
	w := &Workload{APIVersion: s.apiVersion, Kind: s.kind, Line: s.obj.line, doc: d, path: path, form: s.holder.form, obj: s.obj, pod: spec}
	w.named(s.holder)
	if meta := child(s.obj, "metadata"); meta != nil {
		w.Name, w.Namespace = meta.text("name"), meta.text("namespace")
		if w.Name == "" {
			w.Name = meta.text("generateName")
			w.Generated = w.Name != ""
		}
	}
	if err := w.read(); err != nil {
		return err
	}
	if _, v := s.obj.get("kind"); v != nil {
		w.quoted = v.quote == '"'
	}
	w.style = styleOf(d.chunk.Bytes, spec, parent)
	d.Workloads = append(d.Workloads, w)
	return nil
}
