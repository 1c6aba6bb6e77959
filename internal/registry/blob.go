package registry

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Blob reads a small blob, such as an image's config, whole and checks it
// against its descriptor.
func (c *Client) Blob(ctx context.Context, repo Repository, d v1.Descriptor) ([]byte, error) {
	if d.Size < 0 || d.Size > maxManifest {
		return nil, Explain("reading "+repo.Digest(d.Digest).String(), repo.Host, fmt.Errorf("%w: %d bytes", errTooLong, d.Size))
	}
	var b []byte
	err := c.do(ctx, request{
		method: http.MethodGet, repo: repo, path: "blobs/" + d.Digest.String(),
		ok: []int{200}, wait: true,
		read: func(resp *http.Response) (err error) {
			b, err = readAll(resp.Body, d.Size)
			if err != nil {
				return err
			}
			got, n, err := v1.SHA256(bytes.NewReader(b))
			if err == nil && (n != d.Size || got != d.Digest) {
				err = final{fmt.Errorf("what the registry sent has %d bytes and the digest %s, instead of %d bytes", n, got, d.Size)}
			}
			return err
		},
	})
	if err != nil {
		return nil, Explain("reading "+repo.Digest(d.Digest).String(), repo.Host, err)
	}
	return b, nil
}
