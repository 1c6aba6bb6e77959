package kubeyaml

import (
	"io"
	"slices"
	"strings"
)

// maxSchema is how deep PodSpecs are looked for in a schema.
const maxSchema = 64

// Learn takes the places of PodSpecs from a stream of CustomResourceDefinitions
// and returns how many there are.
func (k *Kinds) Learn(r io.Reader) (int, error) {
	holders, err := Definitions(r)
	for _, h := range holders {
		k.add(h.Kind, specPath{path: strings.Split(h.Path, ".")})
	}
	return len(holders), err
}

// Definitions returns the places of PodSpecs that the CustomResourceDefinitions
// of a stream describe. A PodSpec is told by its fields.
func Definitions(r io.Reader) ([]Holder, error) {
	var holders []Holder
	err := Split(r, func(c Chunk) error {
		if c.Raw {
			return nil
		}
		roots, err := parse(c)
		if err != nil {
			return syntax(c, err)
		}
		for _, root := range roots {
			holders = append(holders, definitions(root.resolve(), 0)...)
		}
		return nil
	})
	return holders, err
}

func definitions(obj *node, depth int) (holders []Holder) {
	items := obj.kids
	if obj.kind == mapping {
		items = nil
		if list := child(obj, "items"); list != nil && list.kind == sequence {
			items = list.kids
		}
	}
	if depth < maxLists {
		for _, item := range items {
			holders = append(holders, definitions(item.resolve(), depth+1)...)
		}
	}
	if obj.kind != mapping || obj.text("kind") != "CustomResourceDefinition" || group(obj.text("apiVersion")) != "apiextensions.k8s.io" {
		return holders
	}
	spec := child(obj, "spec")
	names := child(spec, "names")
	if names == nil {
		return holders
	}
	var paths []string
	schemas := []*node{child(child(spec, "validation"), "openAPIV3Schema")} // v1beta1
	if versions := child(spec, "versions"); versions != nil {
		for _, v := range versions.kids {
			if v = v.resolve(); v.kind == mapping {
				schemas = append(schemas, child(child(v, "schema"), "openAPIV3Schema"))
			}
		}
	}
	for _, s := range schemas {
		if s != nil {
			paths = append(paths, PodSpecs(schema{s}, "")...)
		}
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		holders = append(holders, Holder{Kind: spec.text("group") + "/" + names.text("kind"), Path: path})
	}
	return holders
}

// A Schema is a structural schema of OpenAPI v3.
type Schema interface {
	// Property returns the schema of a property, or nil.
	Property(name string) Schema
	Properties() []string
	Items() Schema                // of a list, or nil
	AdditionalProperties() Schema // of a map, or nil
}

// PodSpecs returns the paths to the PodSpecs in a schema, as --pod-spec takes
// them. The status of an object is left out.
func PodSpecs(s Schema, path string) []string {
	if strings.Count(path, ".") > maxSchema || s == nil {
		return nil
	}
	var out []string
	if isPodSpec(s) && path != "" {
		return []string{path} // what is in a PodSpec is none
	}
	join := func(key string) string { return strings.TrimPrefix(path+"."+key, ".") }
	for _, name := range s.Properties() {
		if path == "" && name == "status" {
			continue
		}
		p := s.Property(name)
		if items := p.Items(); items != nil {
			out = append(out, PodSpecs(items, join(name)+"[*]")...)
			continue
		}
		out = append(out, PodSpecs(p, join(name))...)
	}
	if more := s.AdditionalProperties(); more != nil {
		out = append(out, PodSpecs(more, join("*"))...)
	}
	return out
}

// isPodSpec reports whether a schema has the fields that decide: containers
// with images, and node affinity.
func isPodSpec(s Schema) bool {
	containers := s.Property("containers")
	if containers == nil || containers.Items() == nil || containers.Items().Property("image") == nil {
		return false
	}
	return s.Property("affinity") != nil && s.Property("nodeSelector") != nil && s.Property("tolerations") != nil
}

// A schema is a Schema of a document.
type schema struct{ n *node }

func (s schema) sub(n *node) Schema {
	if n == nil || n.kind != mapping {
		return nil
	}
	return schema{n}
}

func (s schema) Property(name string) Schema { return s.sub(child(child(s.n, "properties"), name)) }
func (s schema) Items() Schema               { return s.sub(child(s.n, "items")) }
func (s schema) AdditionalProperties() Schema {
	return s.sub(child(s.n, "additionalProperties"))
}

func (s schema) Properties() []string {
	props := child(s.n, "properties")
	if props == nil {
		return nil
	}
	var names []string
	for i, k := range props.keys {
		if props.kids[i].resolve().kind == mapping {
			names = append(names, k.resolve().value)
		}
	}
	return names
}
