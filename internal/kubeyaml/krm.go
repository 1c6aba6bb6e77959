package kubeyaml

// A KRM function gets its objects, and its configuration, as a ResourceList,
// and returns one:
// https://github.com/kubernetes-sigs/kustomize/blob/master/cmd/config/docs/api-conventions/functions-spec.md

// A Result is an entry of a ResourceList's results.
type Result struct {
	Message, Severity                 string // severity: info, warning
	APIVersion, Kind, Namespace, Name string // of the object
}

// isResourceList reports whether an object is a function's input.
func isResourceList(obj *node) bool {
	return obj.text("kind") == "ResourceList" && group(obj.text("apiVersion")) == "config.kubernetes.io"
}

// Function reports whether the document is a ResourceList.
func (d *Document) Function() bool { return d.resources != nil }

// Results adds to the results of a ResourceList those that it does not have.
func (d *Document) Results(rs []Result) error {
	seen := map[string]bool{}
	if have := child(d.resources, "results"); have != nil {
		for _, r := range have.kids {
			seen[r.resolve().text("message")] = true
		}
	}
	var l list
	for _, r := range rs {
		if seen[r.Message] {
			continue
		}
		seen[r.Message] = true
		ref := dict{{"apiVersion", r.APIVersion}, {"kind", r.Kind}, {"name", r.Name}}
		if r.Namespace != "" {
			ref = append(ref, entry{"namespace", r.Namespace})
		}
		l = append(l, dict{{"message", r.Message}, {"severity", r.Severity}, {"resourceRef", ref}})
	}
	if len(l) == 0 {
		return nil
	}
	w := &Workload{doc: d, obj: d.resources, pod: d.resources, style: styleOf(d.chunk.Bytes, d.resources, d.resources)}
	return w.prepend(d.resources, "results", l)
}

// A Setting is a key of a functionConfig with its values.
type Setting struct {
	Name   string
	Values []string
	Line   int
}

// FunctionConfig returns the settings of a ResourceList: the data of a ConfigMap,
// or the spec of another object. A chunk that is no ResourceList has none, nor
// has one that is too large for Reader.Read.
func FunctionConfig(c Chunk) (settings []Setting, err error) {
	if small(c) != nil {
		return nil, nil
	}
	roots, err := parse(c)
	if err != nil {
		return nil, err
	}
	if len(roots) != 1 || roots[0].kind != mapping || !isResourceList(roots[0]) {
		return nil, nil
	}
	r := reader{}
	config := r.mapping(roots[0], "", "functionConfig")
	for _, field := range []string{"data", "spec"} {
		m := r.mapping(config, "functionConfig", field)
		if m == nil {
			continue
		}
		for i, k := range m.keys {
			s := Setting{Name: k.str(), Line: k.line}
			v := m.kids[i].resolve()
			switch {
			case v.kind == sequence:
				for _, item := range v.kids {
					if r.scalar(item, "functionConfig."+field+"."+s.Name+"[]") {
						s.Values = append(s.Values, item.resolve().str())
					}
				}
			case r.scalar(v, "functionConfig."+field+"."+s.Name):
				s.Values = []string{v.str()}
			}
			settings = append(settings, s)
		}
	}
	return settings, r.err
}
