package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A Referrer refers to a manifest: a signature, an SBOM, an attestation.
type Referrer struct {
	v1.Descriptor
	Tag string // the tag by which cosign finds it; empty if it is found by its subject
}

// cosignSuffixes are those of the tags under which cosign keeps what refers to
// an image (github.com/sigstore/cosign, specs/SIGNATURE_SPEC.md).
var cosignSuffixes = []string{".sig", ".att", ".sbom"}

// fallbackTag is the tag under which a registry without the API of referrers
// keeps their list (distribution-spec, "Referrers Tag Schema").
func fallbackTag(d v1.Hash) string { return d.Algorithm + "-" + d.Hex }

// Referrers returns what refers to a manifest, by the API of referrers or by the
// tags that stand in for it.
func (c *Client) Referrers(ctx context.Context, repo Repository, subject v1.Hash) ([]Referrer, error) {
	list, err := c.listReferrers(ctx, repo, subject)
	if err != nil {
		return nil, Explain("reading what refers to "+repo.Digest(subject).String(), repo.Host, err)
	}
	if list == nil {
		if list, _, err = c.fallbackList(ctx, repo, subject); err != nil {
			return nil, err
		}
	}
	var rs []Referrer
	for _, d := range list.Manifests {
		rs = append(rs, Referrer{Descriptor: d})
	}
	for _, suffix := range cosignSuffixes {
		tag := fallbackTag(subject) + suffix
		d, ok, err := c.Head(ctx, repo.Tag(tag))
		if err != nil {
			return nil, err
		}
		if ok {
			rs = append(rs, Referrer{v1.Descriptor{Digest: d}, tag})
		}
	}
	return rs, nil
}

// maxReferrers bounds how much may refer to one manifest.
const maxReferrers = 1000

// listReferrers asks the API of referrers, page by page. It returns nil if
// there is none.
func (c *Client) listReferrers(ctx context.Context, repo Repository, subject v1.Hash) (list *v1.IndexManifest, err error) {
	r := request{
		method: http.MethodGet, repo: repo, path: "referrers/" + subject.String(),
		header: http.Header{"Accept": {string(types.OCIImageIndex)}},
		ok:     []int{200, 400, 404, 405, 501},
	}
	var next *url.URL
	r.read = func(resp *http.Response) error {
		if next = nil; resp.StatusCode != 200 {
			return nil
		}
		b, err := readAll(resp.Body, maxManifest)
		if err != nil {
			return err
		}
		page := &v1.IndexManifest{}
		if err := json.Unmarshal(b, page); err != nil {
			return final{err}
		}
		if list == nil {
			list = page
		} else {
			list.Manifests = append(list.Manifests, page.Manifests...)
		}
		if next, err = nextPage(resp); err != nil {
			return final{err}
		}
		return nil
	}
	for pages := 0; ; pages++ {
		if err := c.do(ctx, r); err != nil {
			return nil, err
		}
		if next == nil {
			return list, nil
		}
		if list == nil || pages == maxReferrers || len(list.Manifests) > maxReferrers {
			return nil, fmt.Errorf("there are more than %d", maxReferrers)
		}
		r.at, r.ok = next, []int{200}
	}
}

// nextPage reads a Link header (RFC 8288). The next page is at the same host.
func nextPage(resp *http.Response) (*url.URL, error) {
	for _, link := range strings.Split(strings.Join(resp.Header.Values("Link"), ","), ",") {
		target, params, ok := strings.Cut(strings.TrimSpace(link), ">")
		params = strings.ReplaceAll(strings.ToLower(params), " ", "")
		if !ok || !strings.HasPrefix(target, "<") || !strings.Contains(params, `;rel="next"`) && !strings.Contains(params, ";rel=next") {
			continue
		}
		next, err := resp.Request.URL.Parse(target[1:])
		if err == nil && (next.Host != resp.Request.URL.Host || next.Scheme != resp.Request.URL.Scheme) {
			err = fmt.Errorf("the next page would be at %s", next.Host)
		}
		return next, err
	}
	return nil, nil
}

// fallbackList reads the list that a tag keeps; at is what the tag names, zero
// if there is no such tag.
func (c *Client) fallbackList(ctx context.Context, repo Repository, subject v1.Hash) (list *v1.IndexManifest, at v1.Hash, err error) {
	list = &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	ref := repo.Tag(fallbackTag(subject))
	m, ok, err := c.Lookup(ctx, ref)
	if err != nil || !ok {
		return list, at, err
	}
	err = json.Unmarshal(m.Bytes, list)
	switch {
	case err != nil:
	case m.MediaType != types.OCIImageIndex && list.MediaType != types.OCIImageIndex:
		err = fmt.Errorf("it is %q, and not a list of what refers to a manifest", m.MediaType)
	case len(list.Manifests) > maxReferrers:
		err = fmt.Errorf("there are more than %d", maxReferrers)
	}
	return list, m.Digest, Explain("reading "+ref.String(), repo.Host, err)
}
