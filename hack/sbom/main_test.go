package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestArchives(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for name, pack := range map[string]func(*bytes.Buffer) error{
		"x.tar.gz": func(b *bytes.Buffer) error {
			z := gzip.NewWriter(b)
			w := tar.NewWriter(z)
			w.WriteHeader(&tar.Header{Name: "LICENSE", Mode: 0o644, Size: 1})
			w.Write([]byte("x"))
			w.WriteHeader(&tar.Header{Name: "tool", Mode: 0o755, Size: int64(len(content))})
			w.Write(content)
			return errors.Join(w.Close(), z.Close())
		},
		"x.zip": func(b *bytes.Buffer) error {
			w := zip.NewWriter(b)
			w.Create("LICENSE")
			f, err := w.Create("tool.exe")
			if err != nil {
				return err
			}
			f.Write(content)
			return w.Close()
		},
	} {
		var b bytes.Buffer
		if err := pack(&b); err != nil {
			t.Fatal(err)
		}
		archive := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(archive, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := run("v1.2.3", archive+".spdx.json", []string{archive}); err != nil {
			t.Fatal(name, err)
		}
		got, err := os.ReadFile(archive + ".spdx.json")
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			Name  string
			Files []struct{ FileName string }
		}
		if err := json.Unmarshal(got, &d); err != nil || d.Name != name || len(d.Files) != 1 {
			t.Errorf("%s: %v %+v", name, err, d)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.zip")
	if err := os.WriteFile(empty, []byte("PK\x05\x06"+string(make([]byte, 18))), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run("v1", empty+".json", []string{empty}); err == nil {
		t.Error("an archive without a program has an SBOM")
	}
}
