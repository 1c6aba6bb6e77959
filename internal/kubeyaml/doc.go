// Package kubeyaml finds the PodSpecs in a stream of Kubernetes objects, YAML or
// JSON, and splices text into it. Parsers only find places: what is not
// inserted or replaced on purpose keeps its bytes, and is never re-encoded.
//
// A stream is split into chunks (chunk.go), each of which is read as a document
// (document.go) by scan, encoding/json or yaml.v3 into nodes with their places
// (node.go). Kinds knows where an object holds PodSpecs (kinds.go). Edits are
// worked out in the style of the file (edit.go, flow.go, render.go).
package kubeyaml
