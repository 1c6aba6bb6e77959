package imagetest

import (
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// PushIndex stores an index of images, each with an attestation as BuildKit
// makes them, and returns its digest.
func PushIndex(ref string, specs ...Spec) (v1.Hash, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var adds []mutate.IndexAddendum
	for _, s := range specs {
		img, err := s.Build()
		if err != nil {
			return v1.Hash{}, err
		}
		digest, err := img.Digest()
		if err != nil {
			return v1.Hash{}, err
		}
		cf, err := img.ConfigFile()
		if err != nil {
			return v1.Hash{}, err
		}
		adds = append(adds, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: cf.Platform()}})
		attestation, err := attest(digest)
		if err != nil {
			return v1.Hash{}, err
		}
		adds = append(adds, mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{
				"vnd.docker.reference.type":   "attestation-manifest",
				"vnd.docker.reference.digest": digest.String(),
			},
		}})
	}
	index = mutate.AppendManifests(index, adds...)
	r, err := name.ParseReference(ref, name.Insecure)
	if err != nil {
		return v1.Hash{}, err
	}
	if err := remote.WriteIndex(r, index); err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}

// attest makes the attestation of an image.
func attest(of v1.Hash) (v1.Image, error) {
	text := `{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"digest":{"sha256":"` + of.Hex + `"}}]}`
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.AppendLayers(img, static.NewLayer([]byte(text), types.MediaType("application/vnd.in-toto+json")))
	if err != nil {
		return nil, err
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture = "unknown", "unknown"
	return mutate.ConfigFile(img, cf)
}

// App is an image that starts /app, a program for its platform's architecture,
// with some text in a layer below.
func App(platform, arch, text string) Spec {
	app := "#!/bin/sh\n"
	if arch != "script" {
		arch, setting, built := strings.Cut(arch, "+") // amd64+GOAMD64=v3
		app = ELF(arch, 0x05000000)
		if built {
			app = WithGo(app, setting)
		}
	}
	return Spec{
		Platform:   platform,
		Entrypoint: []string{"/app"},
		Layers:     [][]File{Files(map[string]string{"etc/a.txt": text}), Files(map[string]string{"app": app})},
	}
}

// Arch returns the architecture of os/arch[/variant].
func Arch(platform string) string {
	parts := strings.Split(platform, "/")
	if len(parts) < 2 {
		return "amd64"
	}
	return parts[1]
}
