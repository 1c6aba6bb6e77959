package kubeyaml

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/polyarch/polyarch/internal/pod"
)

// A scanner that is used again must leave nothing of one document in another,
// whatever their sizes and whether or not it took them to their ends.
func TestEditsDoNotMeet(t *testing.T) {
	terms := []pod.Term{{Expressions: []pod.Requirement{pod.In("kubernetes.io/arch", "amd64")}}}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 60 {
				name := fmt.Sprintf("w%d-%d", worker, i)
				text := "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\nspec:\n  containers:\n" + strings.Repeat("  - {name: "+name+", image: a}\n", 1+i*i%700)
				if i%7 == 0 { // the scanner leaves it to the other parser
					text = strings.Replace(text, "metadata: {", "metadata: &m {", 1)
				}
				d, err := (&Reader{}).Read(Chunk{Bytes: []byte(text), Line: 1})
				if err != nil || len(d.Workloads) != 1 || d.Workloads[0].Name != name {
					t.Errorf("%s: %v", name, err)
					return
				}
				if err := d.Workloads[0].Affinity(terms, nil, nil); err != nil {
					t.Error(err)
				}
				edits, err := d.Edits()
				if err != nil || len(edits) != 1 {
					t.Errorf("%s: %v %v", name, edits, err)
					return
				}
				d.edits[0].Text = strings.Replace(d.edits[0].Text, "amd64", "arm64", 1)
				if d.verify() == nil {
					t.Errorf("%s: an edit that was not planned passed", name)
				}
			}
		})
	}
	wg.Wait()
}
