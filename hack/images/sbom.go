package main

import (
	"encoding/json"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/hack/spdx"
	"github.com/polyarch/polyarch/internal/command"
)

// sbom returns an in-toto statement about the image whose predicate is an SPDX
// document about its program.
func sbom(program []byte, name string, digest v1.Hash) ([]byte, error) {
	document, err := spdx.Document(name, digest.Hex, command.Version, spdx.Program{Name: "usr/local/bin/" + name, Content: program})
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"_type":         "https://in-toto.io/Statement/v0.1",
		"predicateType": "https://spdx.dev/Document",
		"subject":       []map[string]any{{"name": name, "digest": map[string]string{digest.Algorithm: digest.Hex}}},
		"predicate":     document,
	})
}
