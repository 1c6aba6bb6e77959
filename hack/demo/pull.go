package main

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// runImage pulls ref as a node of this machine's architecture would, checks
// the whole index, and runs the program in the image.
func runImage(ctx context.Context, ref string) error {
	r, err := name.ParseReference(ref)
	if err != nil {
		return err
	}
	index, err := remote.Index(r, remote.WithContext(ctx))
	if err != nil {
		return err
	}
	if err := validate.Index(index); err != nil {
		return fmt.Errorf("checking %s: %w", ref, err)
	}
	img, err := remote.Image(r, remote.WithContext(ctx), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "demo-run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "hello")
	if err := extract(img, "hello", program); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func extract(img v1.Image, file, target string) error {
	fs := mutate.Extract(img)
	defer fs.Close()
	for t := tar.NewReader(fs); ; {
		h, err := t.Next()
		if err != nil {
			return fmt.Errorf("looking for %s in the image: %w", file, err)
		}
		if h.Name != file {
			continue
		}
		w, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o755)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, t); err != nil {
			w.Close()
			return err
		}
		return w.Close()
	}
}
