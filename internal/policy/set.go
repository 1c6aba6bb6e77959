package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
)

const (
	// maxImages bounds the time of an admission, which reads the whole ConfigMap.
	maxImages = 2000
	// maxBytes is the API server's limit for a ConfigMap.
	maxBytes = 1 << 20
	// ApplyBytes is what kubectl apply takes without --server-side: it keeps a copy
	// in an annotation, and annotations have 256 KiB.
	ApplyBytes = 200 << 10
)

// A Set is a stream of documents with the ConfigMaps of some namespaces.
type Set struct {
	documents []*yaml.Node
	maps      []*configMap
	changed   bool
}

type configMap struct {
	namespace string
	data      *yaml.Node
	index     map[string]*yaml.Node // the values of data, by their keys
}

// Parse reads what Set.Marshal, an editor or kubectl get -o yaml wrote. Other
// documents stay as they are. Errors carry the line, not the file.
func Parse(text []byte) (*Set, error) {
	s := &Set{}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, exit.Failf("%w", err).Hint("it is to hold ConfigMaps as inject-affinity --policy prints them")
		}
		if len(n.Content) == 0 {
			continue
		}
		s.documents = append(s.documents, &n)
		if err := s.find(n.Content[0]); err != nil {
			return nil, err
		}
	}
}

// find looks for ConfigMaps in an object, or in the items of a list.
func (s *Set) find(object *yaml.Node) error {
	if items := child(object, "items"); items != nil && items.Kind == yaml.SequenceNode {
		for _, i := range items.Content {
			if err := s.find(i); err != nil {
				return err
			}
		}
		return nil
	}
	metadata := child(object, "metadata")
	if value(child(object, "kind")) != "ConfigMap" || value(child(metadata, "name")) != Name {
		return nil
	}
	m := &configMap{namespace: value(child(metadata, "namespace")), data: child(object, "data"), index: map[string]*yaml.Node{}}
	if s.of(m.namespace) != nil {
		return exit.Failf("the ConfigMap %s of %s is there twice", Name, inWords(m.namespace)).OnLine(object.Line, object.Column)
	}
	if m.data == nil || m.data.Tag == "!!null" {
		m.data = put(object, "data", &yaml.Node{Kind: yaml.MappingNode})
	}
	if m.data.Kind != yaml.MappingNode {
		return exit.Failf("data is not a mapping").OnLine(m.data.Line, m.data.Column)
	}
	for i := 0; i < len(m.data.Content); i += 2 {
		k, v := m.data.Content[i], m.data.Content[i+1]
		if k.Kind != yaml.ScalarNode || v.Kind != yaml.ScalarNode {
			return exit.Failf("data has a key or a value that is not a string").OnLine(k.Line, k.Column)
		}
		if m.index[k.Value] != nil {
			return exit.Failf("data has the key %s twice", k.Value).OnLine(k.Line, k.Column)
		}
		m.index[k.Value] = v
	}
	s.maps = append(s.maps, m)
	return nil
}

// Changed reports whether the documents are others than those that were parsed.
func (s *Set) Changed() bool { return s.changed }

// Namespaces returns the namespaces that have a ConfigMap, in their order.
func (s *Set) Namespaces() (all []string) {
	for _, m := range s.maps {
		all = append(all, m.namespace)
	}
	return all
}

func (s *Set) of(namespace string) *configMap {
	for _, m := range s.maps {
		if m.namespace == namespace {
			return m
		}
	}
	return nil
}

// Open makes sure that a namespace has a ConfigMap; "" is the one that kubectl
// applies it to.
func (s *Set) Open(namespace string) {
	if s.of(namespace) != nil {
		return
	}
	metadata := mapping("name", Name)
	if namespace != "" {
		put(metadata, "namespace", scalar(namespace))
	}
	put(metadata, "labels", mapping("app.kubernetes.io/part-of", "polyarch"))
	object := mapping("apiVersion", "v1", "kind", "ConfigMap")
	put(object, "metadata", metadata)
	m := &configMap{namespace: namespace, data: &yaml.Node{Kind: yaml.MappingNode}, index: map[string]*yaml.Node{}}
	put(object, "data", m.data)
	s.changed = true
	s.maps = append(s.maps, m)
	s.documents = append(s.documents, &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{object}})
}

// Platforms sets the platforms of an image in a namespace that is open. Nodes
// have no variants, so they are left out.
func (s *Set) Platforms(namespace, key string, l platform.List) {
	s.Set(namespace, key, l.Nodes().String())
}

// Set sets another key of a namespace that is open.
func (s *Set) Set(namespace, key, value string) {
	m := s.of(namespace)
	old := m.index[key]
	switch {
	case old == nil:
		m.insert(key, value)
	case old.Value == value:
		return
	default:
		old.SetString(value)
	}
	s.changed = true
}

func (m *configMap) insert(key, value string) {
	v := scalar(value)
	m.index[key] = v
	at := 0
	for at < len(m.data.Content) && m.data.Content[at].Value < key {
		at += 2
	}
	m.data.Style = 0 // a line each
	m.data.Content = slices.Insert(m.data.Content, at, scalar(key), v)
}

// Size returns the bytes of a namespace's keys and values, and the images: the
// larger of the number of digests and of tags, since most have one of each.
func (s *Set) Size(namespace string) (size, images int) {
	digests, tags := 0, 0
	for k, v := range s.of(namespace).index {
		size += len(k) + len(v.Value)
		switch {
		case strings.Contains(k, ".."):
			tags++
		case strings.HasPrefix(k, "sha"):
			digests++
		}
	}
	return size, max(digests, tags)
}

// Marshal returns the documents. A ConfigMap that no API server would take, or
// that would slow down every admission, is an error.
func (s *Set) Marshal() ([]byte, error) {
	for _, m := range s.maps {
		size, images := s.Size(m.namespace)
		if images > maxImages || size > maxBytes {
			return nil, exit.Failf("the ConfigMap %s of %s would have %d images in %d KiB; %d images and %d KiB are the most", Name, inWords(m.namespace), images, size>>10, maxImages, maxBytes>>10).
				Hint("write it anew with --policy, from the images that run there now, or spread the workloads over namespaces")
		}
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	for _, d := range s.documents {
		if err := enc.Encode(d); err != nil {
			return nil, exit.Failf("%w", err)
		}
	}
	if err := enc.Close(); err != nil {
		return nil, exit.Failf("%w", err)
	}
	return b.Bytes(), nil
}

func inWords(namespace string) string {
	if namespace == "" {
		return "the namespace it is applied to"
	}
	return fmt.Sprintf("namespace %s", namespace)
}

func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func value(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// put sets a key of a mapping and returns its value.
func put(m *yaml.Node, key string, v *yaml.Node) *yaml.Node {
	for i := 0; i < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content[i+1] = v
			return v
		}
	}
	m.Content = append(m.Content, scalar(key), v)
	return v
}

// mapping returns a mapping of keys and values that are strings.
func mapping(pairs ...string) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i < len(pairs); i += 2 {
		put(m, pairs[i], scalar(pairs[i+1]))
	}
	return m
}

func scalar(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}
