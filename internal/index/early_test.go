package index

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/registry"
)

// stopped is a source that answers just when the run is stopped.
type stopped struct {
	store
	stop context.CancelCauseFunc
}

func (s stopped) open(context.Context, v1.Descriptor) (io.ReadCloser, error) {
	s.stop(errors.New("stopped by a signal"))
	return io.NopCloser(strings.NewReader("x")), nil
}

func (stopped) near() bool                      { return false }
func (stopped) repository() registry.Repository { return registry.Repository{Host: "a", Path: "b"} }

// A blob that came too late is an error for who takes it, and not a reader that
// is not there.
func TestABlobThatComesWhenTheRunIsStopped(t *testing.T) {
	run, stop := context.WithCancelCause(t.Context())
	tr := &transfer{to: &pushing{repo: registry.Repository{Host: "c", Path: "d"}}, run: run, blobs: map[v1.Hash]*blob{}}
	b := tr.blob(stopped{stop: stop}, v1.Descriptor{Size: 1}, false)
	if b.early == nil {
		t.Fatal("it was not opened early")
	}
	if r, err := b.open(t.Context()); r != nil || err == nil || err.Error() != "stopped by a signal" {
		t.Errorf("it opens as %v, %v", r, err)
	}
}
