package cluster

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

const (
	registryPort    = ":5000"
	registryAddress = benchIP + registryPort
	pauseImage      = "pause:1"
)

// startRegistry serves a registry from this process, its blobs on disk, and puts the image of every
// pod's sandbox there. In the cluster's network it has the loopback address too.
func (c *TwoArch) startRegistry(ctx context.Context, logf func(string, ...any)) error {
	l, err := c.thread.listen(registryPort)
	if err != nil {
		return fmt.Errorf("starting a registry: %w", err)
	}
	blobs := filepath.Join(c.dir, "blobs")
	if err := os.Mkdir(blobs, 0o755); err != nil {
		return fmt.Errorf("starting a registry: %w", err)
	}
	c.registry = &http.Server{Handler: registry.New(registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs)), registry.Logger(log.New(io.Discard, "", 0)))}
	go c.registry.Serve(l)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = c.thread.dial
	c.Transport = transport

	var images []Image
	for _, arch := range []string{"amd64", "arm64"} {
		pause, err := tool.Pause(arch).Build(ctx, logf)
		if err != nil {
			return err
		}
		images = append(images, Image{Arch: arch, Files: map[string]string{"/pause": pause}, Entrypoint: []string{"/pause"}})
	}
	_, err = c.push(ctx, pauseImage, images...)
	return err
}

// Push puts an image into the registry and returns its reference with the digest: one Image as it
// is, several as an index.
func (c *TwoArch) Push(t testing.TB, repoTag string, images ...Image) string {
	t.Helper()
	ref, err := c.push(t.Context(), repoTag, images...)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func (c *TwoArch) push(ctx context.Context, repoTag string, images ...Image) (string, error) {
	ref, err := name.NewTag(c.Registry+"/"+repoTag, name.Insecure)
	if err != nil {
		return "", fmt.Errorf("pushing an image: %w", err)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithTransport(c.Transport)}
	if len(images) == 1 {
		img, err := images[0].Build()
		if err != nil {
			return "", err
		}
		digest, err := img.Digest()
		if err != nil {
			return "", fmt.Errorf("pushing %s: %w", ref, err)
		}
		return ref.Context().Digest(digest.String()).String(), remote.Write(ref, img, options...)
	}
	index, err := Index(images...)
	if err != nil {
		return "", err
	}
	digest, err := index.Digest()
	if err != nil {
		return "", fmt.Errorf("pushing %s: %w", ref, err)
	}
	return ref.Context().Digest(digest.String()).String(), remote.WriteIndex(ref, index, options...)
}
