package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// maxManifest is the size that the distribution specification asks registries
// to take at least (section "Pushing manifests"); few take more.
const maxManifest = 4 << 20

// A Manifest is the bytes of a manifest or an index as they are stored.
type Manifest struct {
	MediaType types.MediaType
	Digest    v1.Hash
	Bytes     []byte
}

var accepted = strings.Join([]string{
	string(types.OCIImageIndex), string(types.OCIManifestSchema1),
	string(types.DockerManifestList), string(types.DockerManifestSchema2),
}, ", ")

// Manifest reads a manifest. Its digest is computed here; if the reference
// has one or the registry names one, it must be the same. One that is not
// there is waited for, as long as Options.Wait says.
func (c *Client) Manifest(ctx context.Context, ref Reference) (*Manifest, error) {
	return c.manifest(ctx, ref, true)
}

// Lookup is Manifest for one that need not exist.
func (c *Client) Lookup(ctx context.Context, ref Reference) (m *Manifest, ok bool, err error) {
	m, err = c.manifest(ctx, ref, false)
	if NotFound(err) {
		return nil, false, nil
	}
	return m, err == nil, err
}

func (c *Client) manifest(ctx context.Context, ref Reference, wait bool) (*Manifest, error) {
	m := &Manifest{}
	err := c.do(ctx, request{
		method: http.MethodGet, repo: ref.Repository, path: "manifests/" + ref.name(),
		header: http.Header{"Accept": {accepted}},
		ok:     []int{200}, wait: wait,
		read: func(resp *http.Response) (err error) {
			m.Bytes, err = readAll(resp.Body, maxManifest)
			if err != nil {
				return err
			}
			m.Digest, _, err = v1.SHA256(bytes.NewReader(m.Bytes))
			if err != nil {
				return err
			}
			m.MediaType = types.MediaType(resp.Header.Get("Content-Type"))
			said := resp.Header.Get("Docker-Content-Digest")
			if strings.HasPrefix(said, "sha256:") && said != m.Digest.String() {
				return final{wrongDigest("what the registry sent has another digest than it says", m.Digest.String(), said)}
			}
			if ref.Digest != (v1.Hash{}) && ref.Digest != m.Digest {
				return final{wrongDigest("what the registry sent has another digest", m.Digest.String(), ref.Digest.String())}
			}
			return nil
		},
	})
	if err != nil {
		return nil, Explain("reading "+ref.String(), ref.Host, err)
	}
	return m, nil
}

// Head returns the digest of a manifest; ok is false if there is none. If a
// registry does not answer HEAD, the manifest itself is read.
func (c *Client) Head(ctx context.Context, ref Reference) (d v1.Hash, ok bool, err error) {
	known := true
	err = c.do(ctx, request{
		method: http.MethodHead, repo: ref.Repository, path: "manifests/" + ref.name(),
		header: http.Header{"Accept": {accepted}},
		ok:     []int{200, 404, 405, 501},
		read: func(resp *http.Response) (err error) {
			ok = resp.StatusCode == 200
			known = ok || resp.StatusCode == 404
			if ok {
				d, err = v1.NewHash(resp.Header.Get("Docker-Content-Digest"))
				known = err == nil
			}
			return nil
		},
	})
	if err != nil {
		return v1.Hash{}, false, Explain("looking up "+ref.String(), ref.Host, err)
	}
	if known {
		return d, ok, nil
	}
	m, ok, err := c.Lookup(ctx, ref)
	if err != nil || !ok {
		return v1.Hash{}, false, err
	}
	return m.Digest, true, nil
}

// PutManifest stores a manifest under the reference's tag, or under its digest.
func (c *Client) PutManifest(ctx context.Context, ref Reference, m *Manifest) error {
	return c.put(ctx, ref, m, v1.Hash{}, func(http.Header) {})
}

// Replace is PutManifest for a tag that names old. Registries that know
// conditional requests refuse it if the tag names something else by then
// (RFC 9110, section 13.1.1); others do not look.
func (c *Client) Replace(ctx context.Context, ref Reference, old v1.Hash, m *Manifest) error {
	return c.put(ctx, ref, m, old, func(http.Header) {})
}

func (c *Client) put(ctx context.Context, ref Reference, m *Manifest, old v1.Hash, look func(http.Header)) error {
	name := ref.Tag
	if name == "" {
		name = m.Digest.String()
	}
	header := http.Header{"Content-Type": {string(m.MediaType)}}
	if old != (v1.Hash{}) {
		header.Set("If-Match", `"`+old.String()+`"`)
	}
	err := c.do(ctx, request{
		method: http.MethodPut, repo: ref.Repository, path: "manifests/" + name,
		header: header,
		body:   bodyOf(m.Bytes), size: int64(len(m.Bytes)),
		ok: []int{200, 201, 202}, late: true,
		read: func(resp *http.Response) error {
			io.CopyN(io.Discard, resp.Body, 64<<10)
			look(resp.Header)
			said := resp.Header.Get("Docker-Content-Digest")
			if strings.HasPrefix(said, "sha256:") && said != m.Digest.String() {
				return final{wrongDigest("the registry stored it under another digest", said, m.Digest.String())}
			}
			return nil
		},
	})
	return Explain("writing "+ref.String(), ref.Host, err)
}

func wrongDigest(what, got, want string) error {
	return fmt.Errorf("%s: %s instead of %s", what, got, want)
}

var errTooLong = errors.New("it is longer than allowed")

// readAll reads at most max bytes.
func readAll(r io.Reader, max int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, broken{err}
	}
	if int64(len(b)) > max {
		return nil, final{fmt.Errorf("%w: %d bytes", errTooLong, max)}
	}
	return slices.Clip(b), nil
}

// DeleteTag removes a tag, not what it points to. Many registries do not allow
// it; a tag that does not exist is not an error.
func (c *Client) DeleteTag(ctx context.Context, ref Reference) error {
	err := c.do(ctx, request{
		method: http.MethodDelete, repo: ref.Repository, path: "manifests/" + ref.Tag,
		ok: []int{200, 202, 404},
	})
	return Explain("deleting "+ref.String(), ref.Host, err)
}
