package registry

import (
	"context"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// HasBlob reports whether a repository has a blob, and of which size; -1 if the
// registry does not say.
func (c *Client) HasBlob(ctx context.Context, repo Repository, d v1.Hash) (ok bool, size int64, err error) {
	size = -1
	r := request{
		method: http.MethodHead, repo: repo, path: "blobs/" + d.String(),
		ok: []int{200, 404, 405, 501},
	}
	known := true
	r.read = func(resp *http.Response) error {
		ok, known = resp.StatusCode == 200, resp.StatusCode == 200 || resp.StatusCode == 404
		if ok {
			size = resp.ContentLength
		}
		return nil
	}
	if err = c.do(ctx, r); err == nil && !known { // it does not answer HEAD
		r.method, r.ok = http.MethodGet, []int{200, 404}
		err = c.do(ctx, r)
	}
	err = Explain("looking up "+repo.Digest(d).String(), repo.Host, err)
	return ok, size, err
}

// ReferrerLists returns what the API of referrers lists for a manifest, and
// whether the registry has the API.
func (c *Client) ReferrerLists(ctx context.Context, repo Repository, subject v1.Hash) ([]v1.Descriptor, bool, error) {
	list, err := c.listReferrers(ctx, repo, subject)
	if err != nil || list == nil {
		return nil, false, Explain("reading what refers to "+repo.Digest(subject).String(), repo.Host, err)
	}
	return list.Manifests, true, nil
}

// EvidenceTags returns the tags under which a registry may keep what refers to a
// manifest: the list of its referrers, then what cosign keeps.
func EvidenceTags(subject v1.Hash) (list string, cosign []string) {
	list = fallbackTag(subject)
	for _, suffix := range cosignSuffixes {
		cosign = append(cosign, list+suffix)
	}
	return list, cosign
}
