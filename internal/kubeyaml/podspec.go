package kubeyaml

import (
	"strconv"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/pod"
)

// podForm is where a PodSpec has the containers that decide.
var podForm = &form{containers: []string{"initContainers[*]", "containers[*]"}}

// read takes the fields of the PodSpec that matter.
func (w *Workload) read() error {
	r := reader{doc: w.doc}
	r.decides(w.pod, "nodeName", "nodeSelector", "affinity", "tolerations")
	s := &w.Spec
	s.NodeName = w.pod.text("nodeName")
	f := w.form
	if f == nil {
		f = podForm
	}
	for _, path := range f.containers {
		w.containers(&r, w.pod, w.path, strings.Split(path, "."))
	}
	for _, path := range f.outer {
		w.containers(&r, w.obj, "", strings.Split(path, "."))
	}
	w.first(&r, f.first)
	if f.architecture != "" {
		r.decides(w.pod, f.architecture)
		w.Architecture = w.pod.text(f.architecture)
	}
	selector, where := r.mapping(w.pod, w.path, "nodeSelector"), w.path
	if selector == nil {
		selector, where = w.inherited(&r, "nodeSelector")
	}
	if selector != nil {
		r.decides(selector)
		for i, k := range selector.keys {
			if !r.take(k) {
				break
			}
			req := pod.In(k.resolve().value, selector.kids[i].resolve().str())
			req.Field, req.Line = where+".nodeSelector", k.line
			s.NodeSelector = append(s.NodeSelector, req)
		}
	}
	path := w.path + ".affinity"
	aff := r.mapping(w.pod, w.path, "affinity")
	if aff == nil {
		if w.covers, where = w.inherited(&r, "affinity"); w.covers != nil {
			w.coversAt = where + ".affinity"
		}
	}
	node := r.mapping(aff, path, "nodeAffinity")
	path += ".nodeAffinity."
	r.decides(aff, "nodeAffinity")
	r.decides(node, requiredKey, preferredKey)
	if req := r.mapping(node, path, requiredKey); req != nil {
		r.decides(req)
		s.Required = true
		for _, t := range r.items(req, path+requiredKey, termsKey) {
			s.Terms = append(s.Terms, r.term(t, path+requiredKey+"."+termsKey))
		}
	}
	for _, p := range r.items(node, path, preferredKey) {
		r.decides(p)
		weight, _ := strconv.Atoi(p.text("weight"))
		preference := r.mapping(p, path+preferredKey+"[]", "preference")
		r.decides(preference)
		s.Preferred = append(s.Preferred, pod.Preferred{Weight: weight, Term: r.term(preference, path+preferredKey+"[].preference")})
	}
	for _, t := range r.items(w.pod, w.path, "tolerations") {
		r.decides(t)
		s.Tolerations = append(s.Tolerations, pod.Toleration{Key: t.text("key"), Operator: t.text("operator"), Value: t.text("value"), Effect: t.text("effect")})
	}
	return r.err
}

// inherited returns a mapping that applies where the place has none of its own,
// and where that stands.
func (w *Workload) inherited(r *reader, key string) (m *node, where string) {
	if w.form == nil {
		return nil, ""
	}
	for _, from := range w.form.inherits {
		at := w.obj
		for _, step := range strings.Split(from, ".") {
			at = child(at, step)
		}
		if m := r.mapping(at, from, key); m != nil {
			return m, from
		}
	}
	return nil, ""
}

// first takes the first image that stands at one of the paths of the object.
func (w *Workload) first(r *reader, paths []string) {
	for _, path := range paths {
		keys := strings.Split(path, ".")
		at, last := w.obj, len(keys)-1
		for _, key := range keys[:last] {
			r.decides(at, key)
			if at = child(at, key); at == nil || at.kind != mapping {
				break
			}
		}
		r.decides(at, keys[last])
		if v := child(at, keys[last]); v == nil {
			continue
		}
		_, image := at.get(keys[last])
		if !r.scalar(image, path) || image.resolve().str() == "" {
			return
		}
		w.Spec.Containers = append(w.Spec.Containers, pod.Container{Name: path, Image: image.resolve().str(), Line: image.line})
		w.images = append(w.images, image)
		return
	}
}

// containers takes the containers at a path from m on.
func (w *Workload) containers(r *reader, m *node, at string, path []string) {
	key, all := strings.CutSuffix(path[0], "[*]")
	r.decides(m, key)
	found := []*node{child(m, key)}
	if all {
		found = r.items(m, at, key)
		key += "[]"
	} else {
		found[0] = r.mapping(m, at, key)
	}
	at = strings.TrimPrefix(at+"."+key, ".")
	for _, c := range found {
		switch {
		case c == nil:
		case len(path) > 1:
			w.containers(r, c, at, path[1:])
		default:
			w.container(r, c, at)
		}
	}
}

// container takes a container. One without an image is the business of the API
// server, or of what completes the object before that.
func (w *Workload) container(r *reader, c *node, at string) {
	r.decides(c, "image")
	_, image := c.get("image")
	if image == nil || image.resolve().null || !r.scalar(image, at+".image") || image.resolve().str() == "" {
		return
	}
	name := c.text("name")
	if name == "" && w.form != nil { // some have none
		name = at[strings.LastIndexByte(at, '.')+1:]
	}
	w.Spec.Containers = append(w.Spec.Containers, pod.Container{Name: name, Image: image.resolve().str(), Line: image.line})
	w.images = append(w.images, image)
}

// term reads a node selector term.
func (r *reader) term(t *node, path string) pod.Term {
	if t == nil {
		return pod.Term{}
	}
	r.decides(t)
	return pod.Term{
		Expressions: r.requirements(t, path, "matchExpressions"),
		Fields:      r.requirements(t, path, "matchFields"),
		Line:        t.line,
	}
}

const (
	requiredKey  = "requiredDuringSchedulingIgnoredDuringExecution"
	preferredKey = "preferredDuringSchedulingIgnoredDuringExecution"
	termsKey     = "nodeSelectorTerms"
)

// A reader takes values of the expected shape and keeps the first error.
type reader struct {
	doc *Document
	err error
}

// decides is Document.decides; m may be nil.
func (r *reader) decides(m *node, names ...string) {
	if m == nil || m.kind != mapping || r.doc == nil {
		return
	}
	if err := r.doc.decides(m, names...); err != nil && r.err == nil {
		r.err = err
	}
}

// take is Document.take. It reports whether there is no error so far.
func (r *reader) take(at *node) bool {
	if r.doc != nil && r.err == nil {
		r.err = r.doc.take(at)
	}
	return r.err == nil
}

func (r *reader) fail(n *node, path, want string) {
	if r.err == nil {
		r.err = exit.Failf("%s is not a %s", path, want).OnLine(n.line, n.col)
	}
}

// child returns an entry's value; nil if it is missing or null.
func child(m *node, key string) *node {
	if m == nil {
		return nil
	}
	_, v := m.get(key)
	if v == nil || v.resolve().null {
		return nil
	}
	return v.resolve()
}

func (r *reader) mapping(m *node, path, key string) *node {
	v := child(m, key)
	if v != nil && v.kind != mapping {
		r.fail(v, path+"."+key, "mapping")
		return nil
	}
	return v
}

// items returns the mappings of a list.
func (r *reader) items(m *node, path, key string) []*node {
	v := child(m, key)
	if v == nil {
		return nil
	}
	path += "." + key
	if v.kind != sequence {
		r.fail(v, path, "list")
		return nil
	}
	var items []*node
	for _, item := range v.kids {
		if !r.take(item) {
			return nil
		}
		item = item.resolve()
		if item.kind != mapping && !item.null {
			r.fail(item, path+"[]", "mapping")
			continue
		}
		items = append(items, item)
	}
	return items
}

func (r *reader) scalar(n *node, path string) bool {
	if n.resolve().kind != scalar {
		r.fail(n, path, "string")
		return false
	}
	return true
}

func (r *reader) requirements(term *node, path, key string) []pod.Requirement {
	var out []pod.Requirement
	for _, e := range r.items(term, path+"[]", key) {
		r.decides(e)
		req := pod.Requirement{Key: e.text("key"), Operator: e.text("operator"), Field: path + "[]." + key, Line: e.line}
		if values := child(e, "values"); values != nil {
			if values.kind != sequence {
				r.fail(values, req.Field+"[].values", "list")
				continue
			}
			for _, v := range values.kids {
				if !r.take(v) {
					return nil
				}
				req.Values = append(req.Values, v.resolve().str())
			}
		}
		out = append(out, req)
	}
	return out
}
