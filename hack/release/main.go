// Command release builds the three binaries for every platform that people run
// CI on and packs them: dist/polyarch_VERSION_OS_ARCH.tar.gz (.zip for
// Windows) and dist/checksums.txt, in sha256sum's format. The same commit
// gives the same bytes.
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

var (
	binaries  = []string{"detect-arch", "stitch-index", "inject-affinity"}
	platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}
)

func main() {
	version := flag.String("version", "", "the version, for example v0.1.0")
	out := flag.String("out", "dist", "the folder to write to")
	ldflags := flag.String("ldflags", "-s -w", "passed to go build")
	only := flag.String("platform", "", "one platform instead of all, for a quick look")
	flag.Parse()
	targets := platforms
	if *only != "" {
		targets = []string{*only}
	}
	if err := run(*version, *out, *ldflags, targets); err != nil {
		fmt.Fprintln(os.Stderr, "release: error:", err)
		os.Exit(1)
	}
}

func run(version, out, ldflags string, targets []string) error {
	if !strings.HasPrefix(version, "v") {
		return fmt.Errorf("--version %q: it starts with v, for example v0.1.0", version)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var sums []string
	for _, t := range targets {
		goos, arch, _ := strings.Cut(t, "/")
		files, err := build(goos, arch, ldflags)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("polyarch_%s_%s_%s.", version, goos, arch)
		var b []byte
		if goos == "windows" {
			name += "zip"
			b, err = packZip(files)
		} else {
			name += "tar.gz"
			b, err = packTar(files)
		}
		if err != nil {
			return fmt.Errorf("packing %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(out, name), b, 0o644); err != nil {
			return err
		}
		sums = append(sums, fmt.Sprintf("%x  %s\n", sha256.Sum256(b), name))
		fmt.Println(filepath.Join(out, name))
	}
	slices.Sort(sums)
	return os.WriteFile(filepath.Join(out, "checksums.txt"), []byte(strings.Join(sums, "")), 0o644)
}

type file struct {
	name    string
	mode    int64
	content []byte
}

func build(goos, arch, ldflags string) ([]file, error) {
	dir, err := os.MkdirTemp("", "release-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	license, err := os.ReadFile("LICENSE")
	if err != nil {
		return nil, err
	}
	files := []file{{"LICENSE", 0o644, license}}
	for _, b := range binaries {
		name := b
		if goos == "windows" {
			name += ".exe"
		}
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", filepath.Join(dir, name), "./cmd/"+b)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS="+goos, "GOARCH="+arch)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("building %s for %s/%s: %w", b, goos, arch, err)
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, 0o755, content})
	}
	return files, nil
}

func packTar(files []file) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(z)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

func packZip(files []file) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		fw, err := w.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate})
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(fw, bytes.NewReader(f.content)); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}
