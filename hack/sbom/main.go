// Command sbom writes, beside an archive of Go programs, an SPDX document with
// the modules that they were linked from.
//
//	sbom --version v1.2.3 --out polyarch.tar.gz.spdx.json polyarch.tar.gz
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/polyarch/polyarch/hack/spdx"
)

func main() {
	version := flag.String("version", "", "the version of the programs")
	out := flag.String("out", "", "the file to write")
	flag.Parse()
	if err := run(*version, *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "sbom: error:", err)
		os.Exit(1)
	}
}

func run(version, out string, args []string) error {
	if version == "" || out == "" || len(args) != 1 {
		return errors.New("usage: sbom --version VERSION --out FILE ARCHIVE")
	}
	archive, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	unpack := untar
	if strings.HasSuffix(args[0], ".zip") {
		unpack = unzip
	}
	programs, err := unpack(archive)
	if err != nil {
		return fmt.Errorf("reading %s: %w", args[0], err)
	}
	if len(programs) == 0 {
		return fmt.Errorf("reading %s: there is no program in it", args[0])
	}
	document, err := spdx.Document(filepath.Base(args[0]), fmt.Sprintf("%x", sha256.Sum256(archive)), version, programs...)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(document, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(b, '\n'), 0o644)
}

// untar returns the executables of a .tar.gz.
func untar(archive []byte) (programs []spdx.Program, err error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return programs, nil
		} else if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg || h.Mode&0o100 == 0 {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		programs = append(programs, spdx.Program{Name: h.Name, Content: content})
	}
}

// unzip returns the .exe files of a .zip.
func unzip(archive []byte) (programs []spdx.Program, err error) {
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, err
	}
	for _, f := range r.File {
		if !strings.HasSuffix(f.Name, ".exe") {
			continue
		}
		content, err := read(f)
		if err != nil {
			return nil, err
		}
		programs = append(programs, spdx.Program{Name: f.Name, Content: content})
	}
	return programs, nil
}

func read(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
