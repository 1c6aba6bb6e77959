package kubeyaml

import (
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/pod"
)

// read takes the fields of the PodSpec that matter.
func (w *Workload) read() error {
	r := reader{}
	s := &w.Spec
	s.NodeName = w.pod.text("nodeName")
	for _, list := range []string{"initContainers", "containers"} {
		for _, c := range r.items(w.pod, w.path, list) {
			_, image := c.get("image")
			if image == nil || image.resolve().null {
				continue // the API server's business, or an admission webhook's
			}
			if !r.scalar(image, w.path+"."+list+"[].image") {
				continue
			}
			s.Containers = append(s.Containers, pod.Container{Name: c.text("name"), Image: image.resolve().str(), Line: image.line})
			w.images = append(w.images, image)
		}
	}
	if sel := r.mapping(w.pod, w.path, "nodeSelector"); sel != nil {
		for i, k := range sel.keys {
			req := pod.In(k.value, sel.kids[i].resolve().str())
			req.Field, req.Line = w.path+".nodeSelector", k.line
			s.NodeSelector = append(s.NodeSelector, req)
		}
	}
	path := w.path + ".affinity"
	aff := r.mapping(w.pod, w.path, "affinity")
	node := r.mapping(aff, path, "nodeAffinity")
	req := r.mapping(node, path+".nodeAffinity", requiredKey)
	if req != nil {
		s.Required = true
		path += ".nodeAffinity." + requiredKey
		for _, t := range r.items(req, path, termsKey) {
			s.Terms = append(s.Terms, pod.Term{
				Expressions: r.requirements(t, path+"."+termsKey, "matchExpressions"),
				Fields:      r.requirements(t, path+"."+termsKey, "matchFields"),
				Line:        t.line,
			})
		}
	}
	for _, t := range r.items(w.pod, w.path, "tolerations") {
		s.Tolerations = append(s.Tolerations, pod.Toleration{Key: t.text("key"), Operator: t.text("operator"), Value: t.text("value"), Effect: t.text("effect")})
	}
	return r.err
}

const (
	requiredKey = "requiredDuringSchedulingIgnoredDuringExecution"
	termsKey    = "nodeSelectorTerms"
)

// A reader takes values of the expected shape and keeps the first error.
type reader struct{ err error }

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
		req := pod.Requirement{Key: e.text("key"), Operator: e.text("operator"), Field: path + "[]." + key, Line: e.line}
		if values := child(e, "values"); values != nil {
			if values.kind != sequence {
				r.fail(values, req.Field+"[].values", "list")
				continue
			}
			for _, v := range values.kids {
				req.Values = append(req.Values, v.resolve().str())
			}
		}
		out = append(out, req)
	}
	return out
}
