package spdx

import (
	"encoding/json"
	"os"
	"testing"
)

// The document of this test's own program names the modules that it was linked from.
func TestDocument(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Document("tool", "1", "v1.2.3", Program{"one", content}, Program{"bin/two", content})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		SPDXVersion     string
		Packages, Files []struct{ SPDXID, Name, VersionInfo, FileName string }
		Relationships   []struct{ SPDXElementID, RelatedSPDXElement, RelationshipType string }
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"SPDXRef-DOCUMENT": true}
	versions := map[string]string{}
	for _, p := range append(s.Packages, s.Files...) {
		if known[p.SPDXID] {
			t.Errorf("%s is there twice", p.SPDXID)
		}
		known[p.SPDXID] = true
		versions[p.Name+p.FileName] = p.VersionInfo
	}
	linked := map[string]int{}
	for _, r := range s.Relationships {
		if !known[r.SPDXElementID] || !known[r.RelatedSPDXElement] {
			t.Errorf("%v names what is not there", r)
		}
		linked[r.SPDXElementID]++
	}
	if s.SPDXVersion != "SPDX-2.3" || versions["stdlib"] == "" || versions["github.com/polyarch/polyarch"] != "v1.2.3" {
		t.Errorf("%s", b)
	}
	if linked["SPDXRef-File-one"] < 2 || linked["SPDXRef-File-one"] != linked["SPDXRef-File-bin-two"] || linked["SPDXRef-DOCUMENT"] != 2 {
		t.Errorf("relationships %v", linked)
	}
	if _, err := Document("tool", "1", "v1.2.3", Program{"text", []byte("no program")}); err == nil {
		t.Error("a file that is no Go program has an SBOM")
	}
}
