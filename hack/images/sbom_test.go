package main

import (
	"encoding/json"
	"os"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The SBOM of this test's own program names the modules that it was linked from.
func TestSBOM(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	digest := v1.Hash{Algorithm: "sha256", Hex: "00"}
	b, err := sbom(program, "tool", digest)
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Subject []struct {
			Digest map[string]string
		}
		Predicate struct {
			SPDXVersion string
			Packages    []struct{ Name, VersionInfo string }
		}
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, p := range s.Predicate.Packages {
		versions[p.Name] = p.VersionInfo
	}
	if s.Subject[0].Digest["sha256"] != "00" || s.Predicate.SPDXVersion != "SPDX-2.3" || versions["stdlib"] == "" || versions["github.com/google/go-containerregistry"] == "" {
		t.Errorf("%s", b)
	}
	if _, err := sbom([]byte("no program"), "tool", digest); err == nil {
		t.Error("a file that is no Go program has an SBOM")
	}
}

func TestCertificates(t *testing.T) {
	if n := len(certificates()); n < 50_000 {
		t.Errorf("%d bytes of certificates", n)
	}
}
