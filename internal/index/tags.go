package index

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/registry"
)

// undoTime is how long moving tags back may take after a signal or a failure.
const undoTime = 4 * time.Second

// moveTags points all tags to m, which the registry has already. If one is
// refused, those that were moved go back to what they were before.
func (s *stitching) moveTags(ctx context.Context, m *registry.Manifest, before []v1.Hash) error {
	if s.Hold != nil {
		defer s.Hold()()
	}
	errs := make([]error, len(s.Tags))
	var wg sync.WaitGroup
	for n, tag := range s.Tags {
		if before[n] == m.Digest {
			continue
		}
		wg.Go(func() { errs[n] = s.Client.PutManifest(ctx, s.Target.Tag(tag), m) })
	}
	wg.Wait()
	failed := errors.Join(errs...)
	if failed == nil {
		return nil
	}
	for _, err := range errs { // one of them is enough to say what happened
		if err != nil {
			failed = err
			break
		}
	}
	return s.moveBack(ctx, m, before, errs, failed)
}

// moveBack undoes what moveTags did. A tag whose move failed may have moved
// all the same, when the answer alone was lost: it is moved back too.
func (s *stitching) moveBack(ctx context.Context, m *registry.Manifest, before []v1.Hash, errs []error, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	stuck := make([]string, len(s.Tags))
	var wg sync.WaitGroup
	for n, tag := range s.Tags {
		if before[n] == m.Digest {
			continue
		}
		wg.Go(func() {
			ref := s.Target.Tag(tag)
			if errs[n] != nil {
				if now, _, err := s.Client.Head(ctx, ref); err == nil && now != m.Digest {
					return
				}
			}
			if err := s.restore(ctx, ref, before[n]); err != nil {
				stuck[n] = fmt.Sprintf("%s could not be moved back to what it was: %v", ref, err)
			}
		})
	}
	wg.Wait()
	e := &exit.Error{Code: exit.CodeOf(cause), Err: cause}
	for _, h := range stuck {
		if h != "" {
			e.Hint("%s", h)
		}
	}
	if strings.Join(stuck, "") == "" {
		e.Hint("no tag was left moved")
	}
	return e
}

// restore makes a tag point to what it pointed to; a tag that did not exist is
// deleted.
func (s *stitching) restore(ctx context.Context, ref registry.Reference, before v1.Hash) error {
	if before == (v1.Hash{}) {
		return s.Client.DeleteTag(ctx, ref)
	}
	old, err := s.Client.Manifest(ctx, s.Target.Digest(before))
	if err != nil {
		return err
	}
	return s.Client.PutManifest(ctx, ref, old)
}
