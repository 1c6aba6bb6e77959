package cluster

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/polyarch/polyarch/internal/text"
)

// A record is the objects of a file that say something about nodes: those of
// node pools, and those that a workload depends on. Other kinds are passed
// over.
type record struct {
	nodes  func(*Node)
	found  int                              // nodes
	others map[string]int                   // objects of other kinds, by kind
	kept   map[objectKind][]json.RawMessage // without called
}

// passedOver are kinds that are common in files and say nothing about nodes.
var passedOver = []string{"Pod", "ConfigMap", "Secret", "Event", "Service", "Endpoints", "EndpointSlice", "ReplicaSet", "Lease"}

// readRecord reads JSON or YAML, which may hold several documents: lists of
// objects, with or without kinds, arrays of objects, and objects.
func readRecord(r io.Reader, nodes func(*Node)) (*record, error) {
	rec := &record{nodes: nodes, others: map[string]int{}, kept: map[objectKind][]json.RawMessage{}}
	b := bufio.NewReader(r)
	start, _ := b.Peek(3)
	switch {
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		return nil, errors.New("it is UTF-16, as PowerShell's > writes it; save it as UTF-8")
	case bytes.Equal(start, []byte{0xef, 0xbb, 0xbf}):
		b.Discard(3)
	}
	first, err := firstByte(b)
	if err != nil {
		return nil, err
	}
	document := rec.jsonDocuments(b)
	if first != '{' && first != '[' {
		document = rec.yamlDocuments(b)
	}
	for n := 0; ; n++ {
		err := document()
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return rec, nil
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%w: it is empty", errNotNodes)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, errors.New("it ends in the middle")
		case err != nil:
			return nil, err
		}
	}
}

// empty returns the error for a file with nothing useful in it.
func (r *record) empty(pools bool) error {
	if r.found > 0 || len(r.others) == 0 {
		return nil
	}
	for _, k := range []string{"NodePool", "Provisioner", "MachineDeployment", "MachineSet", "MachinePool", "ComputeClass"} {
		if pools && r.others[k] > 0 {
			return nil
		}
	}
	var kinds []string
	if len(r.others) == 1 {
		for k, n := range r.others {
			if n == 1 {
				return fmt.Errorf("%w: its kind is %s", errNotNodes, k)
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(r.others)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", r.others[k], k))
	}
	return fmt.Errorf("%w: there are no nodes among its objects, %s", errNotNodes, strings.Join(kinds, ", "))
}

// firstByte looks at the first byte that is not white space.
func firstByte(b *bufio.Reader) (byte, error) {
	for {
		c, err := b.ReadByte()
		if errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("%w: it is empty", errNotNodes)
		}
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c, b.UnreadByte()
		}
	}
}

func (r *record) jsonDocuments(in io.Reader) func() error {
	dec := json.NewDecoder(in)
	return func() error { return r.document(dec) }
}

func (r *record) yamlDocuments(in io.Reader) func() error {
	dec := yaml.NewDecoder(in)
	return func() error {
		var doc any
		if err := dec.Decode(&doc); err != nil {
			return err
		}
		if doc == nil { // nothing between two lines of ---
			return nil
		}
		b, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("%w: %v", errNotNodes, err)
		}
		return inside(r.document(json.NewDecoder(bytes.NewReader(b))))
	}
}

// document reads a JSON document, items one by one. At the end of the input it
// returns io.EOF.
func (r *record) document(dec *json.Decoder) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	item, fields := 0, map[string]json.RawMessage{}
	each := func(raw json.RawMessage) error {
		item++
		if err := r.object(raw, listOf(fields)); err != nil {
			return fmt.Errorf("item %d: %w", item, err)
		}
		return nil
	}
	switch t {
	case json.Delim('['):
		for dec.More() {
			var raw json.RawMessage
			if err := dec.Decode(&raw); err != nil {
				return inside(err)
			}
			if err := each(raw); err != nil {
				return err
			}
		}
		_, err = dec.Token()
		return inside(err)
	case json.Delim('{'):
	default:
		return fmt.Errorf("%w: it starts with %s", errNotNodes, text.Line(fmt.Sprint(t)))
	}
	items, nodes := false, r.found
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return inside(err)
		}
		if key == "items" {
			items = true
			err = decodeEach(dec, each)
		} else {
			var raw json.RawMessage
			err = dec.Decode(&raw)
			fields[key.(string)] = raw
		}
		if err != nil {
			return inside(err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return inside(err)
	}
	if items { // its kind may stand behind its items
		if k := listOf(fields); k.kind != "" && k.kind != "Node" && r.found > nodes {
			return fmt.Errorf("%w: its kind is %sList", errNotNodes, text.Line(k.kind))
		}
		return nil
	}
	object, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return r.object(object, objectKind{})
}

// listOf returns what the items of a list are that have no kind of their own.
func listOf(fields map[string]json.RawMessage) objectKind {
	var kind, apiVersion string
	_, _ = json.Unmarshal(fields["kind"], &kind), json.Unmarshal(fields["apiVersion"], &apiVersion) // "" where they are missing
	kind, ok := strings.CutSuffix(kind, "List")
	if !ok || kind == "" || kind == "PartialObjectMetadata" {
		return objectKind{}
	}
	group, _, versioned := strings.Cut(apiVersion, "/")
	if !versioned {
		group = ""
	}
	return objectKind{group: group, kind: kind}
}

// object takes one object, or an item of a list. One without a kind is a node.
func (r *record) object(raw json.RawMessage, of objectKind) error {
	var o struct {
		APIVersion, Kind string
		Metadata         struct{ Name string }
		Items            []json.RawMessage
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return fmt.Errorf("%w: %v", errNotNodes, err) // whose offset is within the object
	}
	group, _, versioned := strings.Cut(o.APIVersion, "/")
	if !versioned {
		group = ""
	}
	if o.Kind == "" {
		o.Kind, group = of.kind, cmp.Or(group, of.group)
	}
	switch {
	case o.Items != nil: // the lists of several runs, joined to an array
		for _, item := range o.Items {
			if err := r.object(item, of); err != nil {
				return err
			}
		}
		return nil
	case o.Kind == "" && o.Metadata.Name == "":
		return fmt.Errorf("%w: there is an object without a kind and a name", errNotNodes)
	case o.Kind == "" || o.Kind == "Node" || o.Kind == "PartialObjectMetadata":
		var w wireNode
		if err := json.Unmarshal(raw, &w); err != nil {
			return errors.New(err.Error())
		}
		n := w.node()
		r.found++
		r.nodes(&n)
		return nil
	}
	r.others[text.Line(o.Kind)]++
	if slices.Contains(passedOver, o.Kind) {
		return nil
	}
	k := objectKind{group: group, kind: o.Kind}
	r.kept[k] = append(r.kept[k], slices.Clone(raw))
	return nil
}

func (r *record) objects(_ context.Context, k objectKind, visit func(json.RawMessage)) (served bool, err error) {
	all := r.kept[objectKind{group: k.group, kind: k.kind}]
	for _, raw := range all {
		visit(raw)
	}
	return len(all) > 0, nil
}

func (r *record) get(_ context.Context, o objectName) (json.RawMessage, error) {
	for k, all := range r.kept {
		if k.kind == o.kind && (k.group == "" || strings.HasSuffix(k.group, ".k8s.io")) {
			if raw := lookUp(all, o, cmp.Or(o.namespace, "default")); raw != nil {
				return raw, nil
			}
		}
	}
	return nil, nil
}
