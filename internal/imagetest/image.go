package imagetest

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/polyarch/polyarch/internal/platform"
)

// A Spec describes an image. The same Spec gives the same digest.
type Spec struct {
	Platform   string // os/arch[/variant]; empty for a config without one
	OSVersion  string
	Docker     bool // Docker's media types instead of OCI's
	Layers     [][]File
	Compress   func([]byte) []byte // gzip if nil
	LayerType  types.MediaType     // that of gzip if empty
	Entrypoint []string
	Cmd        []string
	Env        []string
	WorkingDir string
}

// A File is one entry of a layer.
type File struct {
	Name string
	Body string
	Mode int64  // 0o644 if 0
	Link string // makes it a symbolic link
	Hard string // makes it a hard link
	Dir  bool
}

// Build makes the image.
func (s Spec) Build() (v1.Image, error) {
	p := v1.Platform{}
	if s.Platform != "" {
		parsed, err := platform.Parse(s.Platform)
		if err != nil {
			return nil, err
		}
		p = v1.Platform{OS: parsed.OS, Architecture: parsed.Arch, Variant: parsed.Variant}
	}
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	layerType := types.OCILayer
	if s.Docker {
		img = mutate.ConfigMediaType(mutate.MediaType(img, types.DockerManifestSchema2), types.DockerConfigJSON)
		layerType = types.DockerLayer
	}
	layerType = cmp.Or(s.LayerType, layerType)
	compress := s.Compress
	if compress == nil {
		compress = Gzip
	}
	for _, files := range s.Layers {
		var err error
		img, err = mutate.AppendLayers(img, static.NewLayer(compress(Tar(files)), layerType))
		if err != nil {
			return nil, err
		}
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture, cf.Variant, cf.OSVersion = p.OS, p.Architecture, p.Variant, s.OSVersion
	cf.Config = v1.Config{Entrypoint: s.Entrypoint, Cmd: s.Cmd, Env: s.Env, WorkingDir: s.WorkingDir}
	return mutate.ConfigFile(img, cf)
}

// Push builds the image and stores it under a reference of a registry that
// speaks plain HTTP, and returns its digest.
func (s Spec) Push(ref string, opts ...remote.Option) (v1.Hash, error) {
	img, err := s.Build()
	if err != nil {
		return v1.Hash{}, err
	}
	r, err := name.ParseReference(ref, name.Insecure)
	if err != nil {
		return v1.Hash{}, err
	}
	if err := remote.Write(r, img, opts...); err != nil {
		return v1.Hash{}, err
	}
	return img.Digest()
}

// Gzip compresses, always to the same bytes.
func Gzip(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b) // a buffer takes everything
	w.Close()
	return out.Bytes()
}

// Zstd is Gzip for layers of another media type.
func Zstd(b []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(b, nil)
}

// Tar makes a layer.
func Tar(files []File) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Mode: cmp.Or(f.Mode, 0o644), Size: int64(len(f.Body)), Typeflag: tar.TypeReg}
		switch {
		case f.Link != "":
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, f.Link, 0
		case f.Hard != "":
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, f.Hard, 0
		case f.Dir:
			h.Typeflag, h.Size = tar.TypeDir, 0
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if h.Size > 0 {
			io.WriteString(w, f.Body)
		}
	}
	w.Close()
	return out.Bytes()
}

// Files returns a layer of a map from path to content, in order of the paths;
// what is in a folder bin, or has no dot in its name, can be executed.
func Files(m map[string]string) []File {
	var fs []File
	for _, p := range slices.Sorted(maps.Keys(m)) {
		f := File{Name: p, Body: m[p]}
		if strings.Contains(p, "bin/") || !strings.Contains(p, ".") {
			f.Mode = 0o755
		}
		fs = append(fs, f)
	}
	return fs
}
