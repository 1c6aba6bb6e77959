package published

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/registry"
)

// A store is where images are: a repository, or a layout.
type store interface {
	manifest(context.Context, v1.Descriptor) (*registry.Manifest, error)
	// Blob reads a small blob: a config.
	Blob(context.Context, v1.Descriptor) ([]byte, error)
	// has says what is wrong with a blob, "" if nothing is. In a registry it is
	// looked up, not read.
	has(context.Context, v1.Descriptor) (why string, err error)
	open(context.Context, v1.Descriptor) (io.ReadCloser, error)
	near() bool
}

// missing reports whether err says that something does not exist.
func missing(err error) bool {
	return errors.Is(err, errGone) || registry.NotFound(err) || errors.Is(err, fs.ErrNotExist)
}

// errGone is the error of a tag that was listed, and is not there.
var errGone = errors.New(gone)

const gone = "is not there"

// remote is a repository of a registry.
type remote struct {
	client *registry.Client
	repo   registry.Repository
}

func (r remote) manifest(ctx context.Context, d v1.Descriptor) (*registry.Manifest, error) {
	return r.client.Manifest(ctx, r.repo.Digest(d.Digest))
}

func (r remote) Blob(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	return r.client.Blob(ctx, r.repo, d)
}

func (r remote) has(ctx context.Context, d v1.Descriptor) (string, error) {
	ok, size, err := r.client.HasBlob(ctx, r.repo, d.Digest)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return gone, nil
	case size >= 0 && size != d.Size: // which a proxy in between may have made up
		why, err := whole(ctx, r, d)
		if ctx.Err() == nil && exit.CodeOf(err) == exit.Unreachable { // it ends before its end, again and again
			why, err = fmt.Sprintf("has %d bytes instead of %d", size, d.Size), nil
		}
		return why, err
	}
	return "", nil
}

// whole reads a blob to its end, which tells whether it is the right one, and
// says why not.
func whole(ctx context.Context, s store, d v1.Descriptor) (string, error) {
	r, err := s.open(ctx, d)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
		r.Close()
	}
	switch {
	case err == nil:
		return "", nil
	case missing(err):
		return gone, nil
	case ctx.Err() != nil || exit.CodeOf(err) != exit.Failed:
		return "", err
	}
	return fmt.Sprintf("is not what it should be: %v", err), nil
}

func (r remote) open(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	return r.client.Open(ctx, r.repo, d)
}

func (r remote) near() bool { return r.client.Near(r.repo) }

// local is an OCI layout on disk.
type local struct{ image.Local }

func (l local) manifest(ctx context.Context, d v1.Descriptor) (*registry.Manifest, error) {
	return l.Manifest(ctx, d)
}

func (l local) has(ctx context.Context, d v1.Descriptor) (string, error) { return whole(ctx, l, d) }

func (l local) open(_ context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	return l.Layout.Open(d)
}

func (local) near() bool { return true }
