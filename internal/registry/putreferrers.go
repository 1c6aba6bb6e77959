package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A NewReferrer is a manifest that refers to another, and how a list of
// referrers describes it.
type NewReferrer struct {
	Manifest   *Manifest
	Descriptor v1.Descriptor
}

// PutReferrers stores manifests that refer to subject, all at once. Where the
// registry does not list what refers to a manifest, a tag does, and byTag is
// true (distribution-spec, "Referrers Tag Schema").
func (c *Client) PutReferrers(ctx context.Context, repo Repository, subject v1.Hash, rs []NewReferrer) (byTag bool, err error) {
	kept := make([]bool, len(rs))
	errs := make([]error, len(rs))
	var wg sync.WaitGroup
	for n, r := range rs {
		wg.Go(func() {
			errs[n] = c.put(ctx, repo.Digest(r.Manifest.Digest), r.Manifest, v1.Hash{}, func(h http.Header) { kept[n] = h.Get("OCI-Subject") != "" })
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return false, err
		}
	}
	if !slices.Contains(kept, false) {
		return false, nil
	}
	// A registry may list them and not say so.
	list, err := c.listReferrers(ctx, repo, subject)
	if err == nil && list != nil && len(lacking(list, rs)) == 0 {
		return false, nil
	}
	return true, c.ListReferrers(ctx, repo, subject, rs)
}

// lacking returns the descriptors that a list does not have.
func lacking(list *v1.IndexManifest, rs []NewReferrer) []v1.Descriptor {
	var some []v1.Descriptor
	for _, r := range rs {
		if !slices.ContainsFunc(list.Manifests, func(have v1.Descriptor) bool { return have.Digest == r.Descriptor.Digest }) {
			some = append(some, r.Descriptor)
		}
	}
	return some
}

// maxListings is how often the list under a tag is written that others write
// as well.
const maxListings = 8

// ListReferrers makes the tag that lists what refers to subject list them too.
// Others may write the tag at the same time, and few registries can keep one
// from undoing what another did: the tag is read again until it has them all.
func (c *Client) ListReferrers(ctx context.Context, repo Repository, subject v1.Hash, rs []NewReferrer) error {
	ref := repo.Tag(fallbackTag(subject))
	var refused v1.Hash // what the tag named when the registry said that it named something else
	for n := range maxListings {
		if n > 1 { // not in step with whoever else writes it; between reading and writing there must be no time
			if err := c.o.sleep(ctx, time.Duration(rand.Int64N(int64(n)*int64(50*time.Millisecond)))); err != nil {
				return c.ended(ctx, err)
			}
		}
		list, at, err := c.fallbackList(ctx, repo, subject)
		if err != nil {
			return err
		}
		missing := lacking(list, rs)
		if len(missing) == 0 {
			return nil
		}
		list.Manifests = append(list.Manifests, missing...)
		b, err := json.Marshal(list)
		if err != nil {
			return err
		}
		digest, _, err := v1.SHA256(bytes.NewReader(b))
		if err != nil {
			return err
		}
		m := &Manifest{MediaType: types.OCIImageIndex, Digest: digest, Bytes: b}
		condition := at
		if at == refused {
			condition = v1.Hash{} // its conditions are not about digests
		}
		err = c.Replace(ctx, ref, condition, m)
		var status *StatusError
		if errors.As(err, &status) && status.Status == http.StatusPreconditionFailed {
			refused = at
			continue
		}
		if err != nil {
			return err
		}
	}
	return Explain("writing "+ref.String(), repo.Host, fmt.Errorf("something else writes it all the time: after %d tries it still lacks what refers to %s", maxListings, subject))
}
