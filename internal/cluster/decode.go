package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A page is a list without its items.
type page struct {
	Continue        string
	ResourceVersion string
	Remaining       int64
}

var errNotNodes = errors.New("it is not a list of nodes")

// decodeList reads one JSON document with a list of nodes, or with one Node,
// and calls each for every node while it reads. At the end of r it returns io.EOF.
func decodeList(dec *json.Decoder, each func(*Node)) (page, error) {
	var p page
	var kind string
	var single wireNode
	t, err := dec.Token()
	if err != nil {
		return p, err
	}
	if t != json.Delim('{') {
		return p, fmt.Errorf("%w: it starts with %v", errNotNodes, t)
	}
	items := false
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return p, inside(err)
		}
		switch key {
		case "kind":
			err = dec.Decode(&kind)
		case "items":
			items = true
			err = decodeItems(dec, each)
		case "metadata":
			var raw json.RawMessage
			if err = dec.Decode(&raw); err == nil {
				var m struct {
					Continue, ResourceVersion string
					RemainingItemCount        int64
				}
				_ = json.Unmarshal(raw, &m)
				p = page{m.Continue, m.ResourceVersion, m.RemainingItemCount}
				err = json.Unmarshal(raw, &single.Metadata)
			}
		case "spec":
			err = dec.Decode(&single.Spec)
		case "status":
			var raw json.RawMessage // a Status of the API server has a string here
			if err = dec.Decode(&raw); err == nil && len(raw) > 0 && raw[0] == '{' {
				err = json.Unmarshal(raw, &single.Status)
			}
		default:
			var skip json.RawMessage
			err = dec.Decode(&skip)
		}
		if err != nil {
			return p, inside(err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return p, inside(err)
	}
	switch {
	case kind == "Node":
		n := single.node()
		each(&n)
	case !items || kind != "List" && kind != "NodeList" && kind != "PartialObjectMetadataList":
		if kind == "" {
			return p, fmt.Errorf("%w: it has no kind", errNotNodes)
		}
		return p, fmt.Errorf("%w: its kind is %s", errNotNodes, kind)
	}
	return p, nil
}

func decodeItems(dec *json.Decoder, each func(*Node)) error {
	t, err := dec.Token()
	if err != nil || t == nil { // null: a list that Go wrote
		return err
	}
	if t != json.Delim('[') {
		return fmt.Errorf("%w: its items are not an array", errNotNodes)
	}
	for i := 0; dec.More(); i++ {
		var w wireNode
		if err := dec.Decode(&w); err != nil {
			return fmt.Errorf("item %d: %w", i+1, err)
		}
		if w.Kind != "" && w.Kind != "Node" {
			return fmt.Errorf("%w: item %d is a %s", errNotNodes, i+1, w.Kind)
		}
		n := w.node()
		each(&n)
	}
	_, err = dec.Token()
	return err
}

// decodeObjects reads one JSON document with a list of objects of any kind, and
// calls visit for each while it reads.
func decodeObjects(dec *json.Decoder, visit func(json.RawMessage) error) (page, error) {
	var p page
	t, err := dec.Token()
	if err != nil {
		return p, inside(err)
	}
	if t != json.Delim('{') {
		return p, fmt.Errorf("%w: it starts with %v", errNoList, t)
	}
	items := false
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return p, inside(err)
		}
		switch key {
		case "items":
			items = true
			err = decodeEach(dec, visit)
		case "metadata":
			var m struct{ Continue string }
			err = dec.Decode(&m)
			p.Continue = m.Continue
		default:
			var skip json.RawMessage
			err = dec.Decode(&skip)
		}
		if err != nil {
			return p, inside(err)
		}
	}
	if !items {
		return p, fmt.Errorf("%w: it has no items", errNoList)
	}
	return p, nil
}

var errNoList = errors.New("it is not a list of objects")

// decodeEach reads an array, or null.
func decodeEach(dec *json.Decoder, visit func(json.RawMessage) error) error {
	t, err := dec.Token()
	if err != nil || t == nil {
		return err
	}
	if t != json.Delim('[') {
		return fmt.Errorf("%w: its items are not an array", errNoList)
	}
	for i := 0; dec.More(); i++ {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return fmt.Errorf("item %d: %w", i+1, err)
		}
		if err := visit(raw); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// inside marks the end of the input within a document as the error it is.
func inside(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
