package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
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
)

// A server is a registry with a proxy before it.
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

// platforms and their ELF machines: as many as the largest index has.
var platforms = []struct {
	name    string
	machine uint16
}{
	{"linux/amd64", 62}, {"linux/arm64", 183}, {"linux/arm/v7", 40}, {"linux/s390x", 22}, {"linux/ppc64le", 21}, {"linux/riscv64", 243},
	{"linux/386", 3}, {"linux/loong64", 258}, {"linux/arm/v6", 40}, {"linux/arm/v5", 40}, {"linux/mips64le", 8}, {"linux/mipsle", 8},
	{"linux/mips", 8}, {"linux/ppc64", 21}, {"linux/mips64", 8}, {"freebsd/amd64", 62},
}

// pushImages stores an image for each platform, of some layers of size bytes
// that do not compress, one of them with a program, and returns their digests.
func pushImages(s *server, repo string, n int, size int64, layers, program int) ([]v1.Hash, error) {
	var digests []v1.Hash
	for i, p := range platforms[:n] {
		img, err := image(p.name, p.machine, size, uint64(i), layers, program)
		if err != nil {
			return nil, err
		}
		ref, err := name.ParseReference(fmt.Sprintf("%s/%s:%s", s.direct, repo, slug(p.name)), name.Insecure)
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

func image(platform string, machine uint16, size int64, seed uint64, layers, at int) (v1.Image, error) {
	program := make([]byte, 64)
	copy(program, "\x7fELF")
	order := binary.ByteOrder(binary.LittleEndian)
	program[4], program[5], program[6] = 2, 1, 1
	switch platform {
	case "linux/s390x", "linux/ppc64", "linux/mips64":
		program[5], order = 2, binary.BigEndian
	case "linux/mips":
		program[4], program[5], order = 1, 2, binary.BigEndian
	case "linux/386", "linux/mipsle", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5":
		program[4] = 1
		binary.LittleEndian.PutUint32(program[36:], 0x05000000)
	}
	order.PutUint16(program[16:], 2)
	order.PutUint16(program[18:], machine)
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
