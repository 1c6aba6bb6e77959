// Package spdx says in an SPDX 2.3 document (spdx.github.io/spdx-spec/v2.3)
// which modules Go programs were linked from, as the linker recorded it in
// them. syft reads the same record, but takes 400 modules to build.
package spdx

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"strings"
)

// Source is the repository that all the programs are from.
const Source = "https://github.com/polyarch/polyarch"

// A Program is a Go executable for any platform.
type Program struct {
	Name    string // its path in what the document is about
	Content []byte
}

type object = map[string]any

// Document returns a document, for encoding as JSON, about what name is and unique
// tells from all others of this name. The version is that of the programs' own
// module. It has no creation time, so that builds are reproducible.
func Document(name, unique, version string, programs ...Program) (map[string]any, error) {
	d := document{known: map[string]bool{}}
	for _, p := range programs {
		if err := d.add(p, version); err != nil {
			return nil, err
		}
	}
	return object{
		"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": name,
		"documentNamespace": Source + "/sbom/" + name + "/" + unique,
		"creationInfo":      object{"created": "1970-01-01T00:00:00Z", "creators": []string{"Tool: polyarch-sbom"}},
		"packages":          d.packages,
		"files":             d.files,
		"relationships":     d.relations,
	}, nil
}

type document struct {
	packages, files, relations []object
	known                      map[string]bool // modules that are packages already
}

func (d *document) add(p Program, version string) error {
	info, err := buildinfo.Read(bytes.NewReader(p.Content))
	if err != nil {
		return fmt.Errorf("reading the modules of %s: %w", p.Name, err)
	}
	file := id("File-" + p.Name)
	d.files = append(d.files, object{
		"SPDXID": file, "fileName": "./" + p.Name, "fileTypes": []string{"BINARY"},
		"checksums": []object{
			{"algorithm": "SHA1", "checksumValue": fmt.Sprintf("%x", sha1.Sum(p.Content))},
			{"algorithm": "SHA256", "checksumValue": fmt.Sprintf("%x", sha256.Sum256(p.Content))},
		},
	})
	d.relations = append(d.relations, relation("SPDXRef-DOCUMENT", "DESCRIBES", file))
	d.module(file, info.Main.Path, version)
	d.module(file, "stdlib", strings.TrimPrefix(info.GoVersion, "go"))
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		d.module(file, m.Path, m.Version)
	}
	return nil
}

// module notes that a file was linked from a module.
func (d *document) module(file, path, version string) {
	ref := id("Package-" + path + "-" + version)
	d.relations = append(d.relations, relation(file, "DEPENDS_ON", ref))
	if d.known[ref] {
		return
	}
	d.known[ref] = true
	d.packages = append(d.packages, object{
		"SPDXID": ref, "name": path, "versionInfo": version, "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
		"externalRefs": []object{{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:golang/" + path + "@" + version}},
	})
}

func relation(from, kind, to string) object {
	return object{"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to}
}

// id is an identifier of SPDX: letters, digits, dots and dashes.
func id(s string) string {
	return "SPDXRef-" + strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '.' {
			return r
		}
		return '-'
	}, s)
}
