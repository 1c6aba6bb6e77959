package cluster

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// An Image is a linux image made of files of this machine, without a base.
type Image struct {
	Arch       string
	Files      map[string]string // path in the image → path here of a file or folder, or "-> PATH" for a symbolic link
	Entrypoint []string
	Env        []string
	User       string // "65532"; empty is root
}

// Build makes the image: one layer, an OCI manifest.
func (i Image) Build() (v1.Image, error) {
	b, err := i.tar()
	if err != nil {
		return nil, fmt.Errorf("making an image: %w", err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
		tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
	if err != nil {
		return nil, fmt.Errorf("making an image: %w", err)
	}
	img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
	if err != nil {
		return nil, fmt.Errorf("making an image: %w", err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("making an image: %w", err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", i.Arch
	file.Config.Entrypoint, file.Config.Env, file.Config.User = i.Entrypoint, i.Env, i.User
	return mutate.ConfigFile(img, file)
}

// Index makes one index of images of different architectures.
func Index(images ...Image) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, i := range images {
		img, err := i.Build()
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: i.Arch}},
		})
	}
	return index, nil
}

// tar is the layer: the files, the folders above them, and a /tmp for all.
func (i Image) tar() ([]byte, error) {
	var b bytes.Buffer
	l := layer{tar.NewWriter(&b), map[string]bool{"/": true}}
	if err := l.folder("/tmp", 0o1777); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(i.Files)) {
		if err := l.add(name, i.Files[name]); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), l.w.Close()
}
