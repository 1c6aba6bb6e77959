// Package image makes images from files on this machine, without a base image,
// a daemon or a registry. The same files yield the same digest, whenever and
// wherever they are put together.
package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/internal/platform"
)

// A File is one file of an image's only layer.
type File struct {
	Path    string // from the root, without a leading slash
	Mode    int64
	Content []byte
}

// An Image is what Write puts into a layout.
type Image struct {
	Platform platform.Platform
	Files    []File
	Config   v1.Config

	// SBOM returns an in-toto statement about the image of that digest; nil for none.
	SBOM func(v1.Hash) ([]byte, error)
}

// Write makes an OCI layout in the folder dir that holds the image and, if it
// has one, its SBOM as an attestation manifest beside it, as BuildKit writes
// it (moby/buildkit docs/attestations/attestation-storage.md).
func (i Image) Write(dir string) error {
	img, err := i.build()
	if err != nil {
		return err
	}
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("writing layout %s: %w", dir, err)
	}
	p := &v1.Platform{OS: i.Platform.OS, Architecture: i.Platform.Arch, Variant: i.Platform.Variant}
	if i.SBOM == nil {
		return l.AppendImage(img, layout.WithPlatform(*p))
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	statement, err := i.SBOM(digest)
	if err != nil {
		return err
	}
	attestation, err := attest(statement)
	if err != nil {
		return err
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p}},
		mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{
				"vnd.docker.reference.type":   "attestation-manifest",
				"vnd.docker.reference.digest": digest.String(),
			},
		}})
	return l.AppendIndex(index)
}

func (i Image) build() (v1.Image, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	made := map[string]bool{".": true}
	for _, f := range i.Files {
		if err := parents(w, path.Dir(f.Path), made); err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Name: f.Path, Mode: f.Mode, Size: int64(len(f.Content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.Content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(ociEmpty(), layer)
	if err != nil {
		return nil, err
	}
	return configure(img, func(c *v1.ConfigFile) {
		c.OS, c.Architecture, c.Variant = i.Platform.OS, i.Platform.Arch, i.Platform.Variant
		c.Config = i.Config
	})
}

func configure(img v1.Image, set func(*v1.ConfigFile)) (v1.Image, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	set(config)
	return mutate.ConfigFile(img, config)
}

func parents(w *tar.Writer, dir string, made map[string]bool) error {
	if made[dir] {
		return nil
	}
	if err := parents(w, path.Dir(dir), made); err != nil {
		return err
	}
	made[dir] = true
	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755})
}

func attest(statement []byte) (v1.Image, error) {
	layer := static.NewLayer(statement, "application/vnd.in-toto+json")
	img, err := mutate.Append(ociEmpty(), mutate.Addendum{
		Layer:       layer,
		Annotations: map[string]string{"in-toto.io/predicate-type": "https://spdx.dev/Document"},
	})
	if err != nil {
		return nil, err
	}
	return configure(img, func(c *v1.ConfigFile) { c.OS, c.Architecture = "unknown", "unknown" })
}

func ociEmpty() v1.Image {
	return mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
}
