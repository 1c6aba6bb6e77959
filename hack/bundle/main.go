// Command bundle puts polyarch's Tasks, StepActions and Pipelines into a
// Tekton bundle: an image with one layer for each object, which Tekton's
// bundles resolver reads (tekton.dev/docs/pipelines/tekton-bundle-contracts).
//
//	bundle --out dist/bundle.tar     as an OCI archive
//	bundle --push REPO:TAG           to a registry
//
// With --digest-file, the digest of what was pushed is in a file.
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"gopkg.in/yaml.v3"

	"github.com/polyarch/polyarch/internal/kubeyaml"
	"github.com/polyarch/polyarch/internal/registry"
)

func main() {
	out := flag.String("out", "", "write the bundle as an OCI archive to this file")
	push := flag.String("push", "", "push the bundle to this reference")
	digestFile := flag.String("digest-file", "", "write the bundle's digest to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *out, *push, *digestFile, registry.Keychain(os.Getenv)); err != nil {
		fmt.Fprintln(os.Stderr, "bundle: error:", err)
		stop()
		os.Exit(1)
	}
}

// run writes the bundle to the file out, to the reference push, or to both. It
// logs in as the binaries do: a release job has a token and no docker login.
func run(ctx context.Context, out, push, digestFile string, keychain authn.Keychain) error {
	if out == "" && push == "" {
		return errors.New("name --out FILE, --push REFERENCE, or both")
	}
	objects, err := collect(".")
	if err != nil {
		return err
	}
	img, err := bundle(objects)
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	if out != "" {
		if err := archive(img, out); err != nil {
			return fmt.Errorf("writing %s: %w", out, err)
		}
		fmt.Printf("%s: %d objects, %s\n", out, len(objects), digest)
	}
	if push == "" {
		return nil
	}
	ref, err := name.ParseReference(push)
	if err != nil {
		return err
	}
	if err := remote.Write(ref, img, remote.WithContext(ctx), remote.WithAuthFromKeychain(keychain)); err != nil {
		return fmt.Errorf("pushing %s: %w", push, err)
	}
	fmt.Printf("%s@%s\n", push, digest)
	if digestFile == "" {
		return nil
	}
	return os.WriteFile(digestFile, []byte(digest.String()+"\n"), 0o644)
}

// An object is one document that Tekton can fetch by kind and name.
type object struct {
	apiVersion, kind, name string
	text                   []byte
}

// collect reads the objects under root that are to be used by name: samples,
// RBAC and kustomizations are not.
func collect(root string) ([]object, error) {
	var objects []object
	for _, dir := range []string{"tasks", "catalog/pipeline"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && d.Name() == "samples" {
				return fs.SkipDir
			}
			if filepath.Ext(path) != ".yaml" {
				return nil
			}
			found, err := read(path)
			if err != nil {
				return fmt.Errorf("reading %s: %w", path, err)
			}
			objects = append(objects, found...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(objects, func(a, b object) int { return strings.Compare(a.kind+"/"+a.name, b.kind+"/"+b.name) })
	return objects, nil
}

// read returns the objects of every document of a file, each with the bytes
// that it has there.
func read(path string) ([]object, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var objects []object
	err = kubeyaml.Split(f, func(c kubeyaml.Chunk) error {
		var head struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string
			Metadata   struct{ Name string }
		}
		if err := yaml.Unmarshal(c.Bytes, &head); err != nil {
			return fmt.Errorf("the document at line %d: %w", c.Line, err)
		}
		o := object{kind: strings.ToLower(head.Kind), name: head.Metadata.Name, text: c.Bytes}
		o.apiVersion = head.APIVersion[strings.LastIndex(head.APIVersion, "/")+1:]
		if slices.Contains([]string{"task", "stepaction", "pipeline"}, o.kind) {
			objects = append(objects, o)
		}
		return nil
	})
	return objects, err
}

func bundle(objects []object) (v1.Image, error) {
	const most = 20 // of Tekton's resolver
	if len(objects) == 0 || len(objects) > most {
		return nil, fmt.Errorf("a bundle holds 1 to %d objects, not %d", most, len(objects))
	}
	var layers []mutate.Addendum
	for _, o := range objects {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&tar.Header{Name: o.name, Mode: 0o600, Size: int64(len(o.text))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(o.text); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
		if err != nil {
			return nil, err
		}
		layers = append(layers, mutate.Addendum{Layer: layer, Annotations: map[string]string{
			"dev.tekton.image.apiVersion": o.apiVersion,
			"dev.tekton.image.kind":       o.kind,
			"dev.tekton.image.name":       o.name,
		}})
	}
	return mutate.Append(empty.Image, layers...)
}

// archive writes img as an OCI layout in a tar file.
func archive(img v1.Image, path string) error {
	dir, err := os.MkdirTemp("", "bundle-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := l.AppendImage(img); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(inside), Mode: 0o644, Size: int64(len(b))}); err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	})
	return errors.Join(err, w.Close(), f.Close())
}
