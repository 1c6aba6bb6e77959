package cluster

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readAll reads a record whole.
func readAll(s string, each func(*Node)) error {
	r, err := readRecord(strings.NewReader(s), each)
	if err != nil {
		return err
	}
	return r.empty(false)
}

// Whatever a file holds, reading it ends, and what is refused is refused with
// a reason.
func FuzzReadNodes(f *testing.F) {
	for _, s := range []string{
		`{"kind":"List","items":[{"kind":"Node","metadata":{"name":"a","labels":{"kubernetes.io/os":"linux","kubernetes.io/arch":"arm64"}}}]}`,
		`{"kind":"NodeList","items":null}`, `{"kind":"Node","metadata":{"name":"a"},"spec":{"taints":[{"key":"x","effect":"NoSchedule"}]}}`,
		"kind: List\nitems:\n- kind: Node\n  metadata: {name: a}\n", "---\n---\nkind: Node\n", "\xff\xfe{", "\xef\xbb\xbf{}", "[]", "", "a: &a [*a]", "{\"kind\":\"Status\",\"status\":\"Failure\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tally := newTally(Filter{})
		nodes := 0
		err := readAll(string(b), func(n *Node) {
			nodes++
			tally.add(n)
		})
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		s := tally.survey("x")
		sum := 0
		for _, o := range s.Offers {
			sum += o.Nodes
		}
		for _, g := range s.LeftOut {
			sum += g.Nodes
		}
		if sum != nodes {
			t.Fatalf("%d nodes, %d counted: %+v", nodes, sum, s)
		}
	})
}

// The protobuf stream that a server sends is not trusted.
func FuzzDecodeProtobuf(f *testing.F) {
	f.Add([]byte("k8s\x00\x12\x0b\x12\x09\x0a\x07\x0a\x01a\x5a\x02\x0a\x00"))
	f.Add([]byte("k8s\x00\x0a\x02v1\x12\x04\x0a\x02\x1a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		decodeProtobuf(strings.NewReader(string(b)), keptLabels(nil), func(n *Node) {
			if len(n.Name) > len(b) {
				t.Fatal("a name that is longer than the input")
			}
		})
	})
}

func TestReadNodes(t *testing.T) {
	for in, want := range map[string]string{
		"\ufeff" + `{"kind":"List","items":[]}`:                          "",
		`{"items":[],"metadata":{},"apiVersion":"v1","kind":"NodeList"}`: "",
		"\xff\xfe{\x00":                    "it is UTF-16, as PowerShell's > writes it; save it as UTF-8",
		"[]":                               "",
		`{"items":[]}`:                     "",
		`{"kind":"List"}`:                  "it is not a list of nodes: its kind is List",
		`{"kind":"List","items":{}}`:       "its items are not an array",
		`{"kind":"List","items":[1]}`:      "item 1: it is not a list of nodes: json: cannot unmarshal number",
		`{"kind":"Status","status":"x"}`:   "its kind is Status",
		`{"x":1}`:                          "there is an object without a kind and a name",
		"Error from server (Forbidden)":    "it is not a list of nodes: ",
		"NAME STATUS\nnode-1   Ready\n":    "it is not a list of nodes: it starts with ",
		" \n\t":                            "it is not a list of nodes: it is empty",
		"kind: List\nitems: [{kind: Pod}]": "its kind is Pod",
		`{"items":[{"kind":"Pod"},{"kind":"Pod"},{"kind":"Service"}]}`: "there are no nodes among its objects, 2 Pod, 1 Service",
	} {
		err := readAll(in, func(*Node) {})
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v", in, err)
		case want != "" && strings.HasPrefix(want, "it is not a list") && !errors.Is(err, errNotNodes):
			t.Errorf("%q: not errNotNodes", in)
		}
	}
	var got []string
	in := "kind: Node\nmetadata: {name: a}\n---\nkind: List\nitems: [{kind: Node, metadata: {name: b}}]\n"
	if err := readAll(in, func(n *Node) { got = append(got, n.Name) }); err != nil || !cmp.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q, %v", got, err)
	}
}
