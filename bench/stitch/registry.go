package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/imagetest"
)

// A server is a registry with a proxy in front of it.
type server struct {
	direct string // host:port without the proxy
	proxy  *proxy
	cmd    *exec.Cmd
}

func startRegistry(ctx context.Context, program, dir string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{direct: l.Addr().String()}
	l.Close()
	config := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}\nhttp: {addr: %q}\n", dir, s.direct)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return nil, err
	}
	s.cmd = exec.CommandContext(ctx, program, "serve", file)
	s.cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the registry: %w", err)
	}
	for range 100 {
		resp, err := http.Get("http://" + s.direct + "/v2/")
		if err == nil {
			resp.Body.Close()
			s.proxy, err = newProxy(s.direct)
			s.proxy.http.ErrorLog = log.New(io.Discard, "", 0)
			return s, err
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.stop()
	return nil, errors.New("the registry does not answer")
}

func (s *server) stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// platforms are as many as the largest index has.
var platforms = []string{
	"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "linux/ppc64le", "linux/riscv64",
	"linux/386", "linux/loong64", "linux/arm/v6", "linux/arm/v5", "linux/mips64le", "linux/mipsle",
	"linux/mips", "linux/ppc64", "linux/sparc64", "freebsd/amd64",
}

// pushImages stores an image for each platform, of some layers of size bytes
// that do not compress, one of them with a program, and returns their digests.
func pushImages(s *server, repo string, n int, size int64, layers, program int) ([]v1.Hash, error) {
	var digests []v1.Hash
	for i, p := range platforms[:n] {
		img, err := image(p, size, uint64(i), layers, program)
		if err != nil {
			return nil, err
		}
		ref, err := name.ParseReference(fmt.Sprintf("%s/%s:%s", s.direct, repo, slug(p)), name.Insecure)
		if err != nil {
			return nil, err
		}
		if err := remote.Write(ref, img); err != nil {
			return nil, err
		}
		d, err := img.Digest()
		if err != nil {
			return nil, err
		}
		digests = append(digests, d)
	}
	return digests, nil
}

func slug(p string) string { return strings.ReplaceAll(p, "/", "_") }

func image(platform string, size int64, seed uint64, layers, at int) (v1.Image, error) {
	program := []byte(imagetest.ELF(imagetest.Arch(platform), 0x05000000))
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for n := range layers {
		noise := make([]byte, size)
		rand.NewChaCha8([32]byte{byte(seed), byte(size), byte(n), byte(layers)}).Read(noise)
		files := map[string][]byte{fmt.Sprint("data", n): noise}
		if n == at {
			files["app"] = program
		}
		layer, err := tarOf(files)
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, static.NewLayer(layer, types.OCIUncompressedLayer)); err != nil {
			return nil, err
		}
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	parts := append(strings.Split(platform, "/"), "")
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture, cf.Variant = parts[0], parts[1], parts[2]
	cf.Config.Entrypoint = []string{"/app"}
	return mutate.ConfigFile(img, cf)
}

func tarOf(files map[string][]byte) ([]byte, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(files[name])), Typeflag: tar.TypeReg}); err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return layer.Bytes(), nil
}
