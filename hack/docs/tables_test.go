package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRewriteTables(t *testing.T) {
	from := sources{read: func(path string) ([]byte, error) {
		return []byte(`
spec:
  params:
    - {name: image, description: what to build}
    - {name: tag, description: "a|b", type: array, default: []}
    - {name: mode, description: how, default: fast}
  workspaces:
    - {name: kubeconfig, description: a file, optional: true, readOnly: true}
  results:
    - {name: all, description: everything, type: array}
`), nil
	}}
	got, err := rewriteTables("x\n<!-- resource: tasks/x/x.yaml -->\nold\n<!-- end -->\ny\n", from)
	want := "x\n<!-- resource: tasks/x/x.yaml -->\n\n| param | |\n|---|---|\n| `image` | what to build (required) |\n| `tag` | a\\|b (array) |\n| `mode` | how (default `fast`) |\n" +
		"\n| workspace | |\n|---|---|\n| `kubeconfig` | a file (optional, read-only) |\n\n| result | |\n|---|---|\n| `all` | everything (array) |\n\n<!-- end -->\ny\n"
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
}
