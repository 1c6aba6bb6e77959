package kubeyaml

import (
	"regexp"
	"slices"
)

// An Other is an object that holds no PodSpec.
type Other struct {
	Kind, Namespace, Name string
	Line                  int
	JSON                  []byte // in which every scalar is a string
}

// Path returns where the PodSpec stands in its object: spec.template.spec.
func (w *Workload) Path() string { return w.path }

var kindWord = regexp.MustCompile(`kind["']?[ \t]*:[ \t]*["']?([A-Za-z]+)`)

// holdsOthers reports whether a text may hold an object of r.Others.
func (r *Reader) holdsOthers(text []byte) bool {
	if len(r.Others) == 0 {
		return false
	}
	for _, m := range kindWord.FindAllSubmatch(text, -1) {
		if slices.ContainsFunc(r.Others, func(k string) bool { return string(m[1]) == k || string(m[1]) == k+"List" }) {
			return true
		}
	}
	return false
}

func (d *Document) other(obj *node, kind string) error {
	b, err := toJSON(obj)
	if err != nil {
		return err
	}
	o := Other{Kind: kind, Name: nameOf(obj), Line: obj.line, JSON: b}
	if meta := child(obj, "metadata"); meta != nil {
		o.Namespace = meta.text("namespace")
	}
	d.Others = append(d.Others, o)
	return nil
}
