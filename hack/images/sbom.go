package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// sbom gives an in-toto statement about the image whose predicate is an SPDX
// 2.3 document (spdx.github.io/spdx-spec/v2.3): the modules that the linker
// recorded in the program.
func sbom(program []byte, name string, digest v1.Hash) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return nil, fmt.Errorf("reading the modules of %s: %w", name, err)
	}
	type object = map[string]any
	id := func(module string) string {
		return "SPDXRef-" + strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '.' {
				return r
			}
			return '-'
		}, module)
	}
	entry := func(module, version string) object {
		return object{
			"SPDXID": id(module), "name": module, "versionInfo": version, "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
			"externalRefs": []object{{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:golang/" + module + "@" + version}},
		}
	}
	packages := []object{entry(info.Main.Path, info.Main.Version), entry("stdlib", strings.TrimPrefix(info.GoVersion, "go"))}
	relations := []object{{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": id(info.Main.Path)},
		{"spdxElementId": id(info.Main.Path), "relationshipType": "DEPENDS_ON", "relatedSpdxElement": id("stdlib")}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		packages = append(packages, entry(m.Path, m.Version))
		relations = append(relations, object{"spdxElementId": id(info.Main.Path), "relationshipType": "DEPENDS_ON", "relatedSpdxElement": id(m.Path)})
	}
	return json.Marshal(object{
		"_type":         "https://in-toto.io/Statement/v0.1",
		"predicateType": "https://spdx.dev/Document",
		"subject":       []object{{"name": name, "digest": object{digest.Algorithm: digest.Hex}}},
		"predicate": object{
			"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": name,
			"documentNamespace": source + "/sbom/" + name + "/" + digest.Hex,
			// no time of making: it would change the digest of an image that is the same
			"creationInfo":  object{"created": "1970-01-01T00:00:00Z", "creators": []string{"Tool: polyarch-images"}},
			"packages":      packages,
			"relationships": relations,
		},
	})
}
