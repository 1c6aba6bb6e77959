package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/polyarch/polyarch/internal/affinity"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/manifest"
)

// An injector turns chunks of manifests into edits.
type injector struct {
	images *catalogue
}

// A count says what was done to a file.
type count struct{ workloads, edits int }

// file sends one source through the injector into out.
func (in *injector) file(ctx context.Context, s source, out *sink, log *command.Log) (count, error) {
	var n count
	r, err := s.open()
	if err != nil {
		return n, err
	}
	defer r.Close()
	if err := out.begin(s); err != nil {
		return n, err
	}
	err = manifest.Split(r, func(c manifest.Chunk) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		edits, workloads, err := in.chunk(c)
		if err != nil {
			return err
		}
		n.workloads += workloads
		n.edits += len(edits)
		return out.chunk(c, edits)
	})
	if err != nil {
		return n, inFile(s.name, err)
	}
	log.Debugf("%s: %d workloads changed", s.name, n.workloads)
	return n, out.end()
}

// chunk gives the edits to a chunk and the number of workloads they change.
func (in *injector) chunk(c manifest.Chunk) ([]manifest.Edit, int, error) {
	doc, err := manifest.Read(c)
	if err != nil {
		return nil, 0, err
	}
	changed, edits := 0, 0
	for _, w := range doc.Workloads {
		if err := in.workload(w); err != nil {
			return nil, 0, fmt.Errorf("%s %s: %w", w.Kind, w.Name, err)
		}
		if n := len(doc.Edits()); n > edits {
			changed, edits = changed+1, n
		}
	}
	return doc.Edits(), changed, nil
}

func (in *injector) workload(w *manifest.Workload) error {
	images := make([]affinity.Image, len(w.Spec.Containers))
	for i, c := range w.Spec.Containers {
		b, open := in.images.find(c.Image)
		if b == nil || b.platforms == nil {
			return exit.Failf("line %d: the platforms of image %s are not known", c.Line, c.Image).At("", c.Line, 0).
				Hint("name it in an --artifacts file, or with --image '%s=%s;linux/amd64'", c.Image, c.Image)
		}
		images[i] = affinity.Image{Container: c, Platforms: b.platforms}
		if open && c.Image != b.text {
			if err := w.SetImage(i, b.text); err != nil {
				return err
			}
		}
	}
	change, err := affinity.Plan(w.Spec, images, affinity.Options{})
	if err != nil {
		return err
	}
	return w.Affinity(change.New, change.Existing)
}

// inFile puts the file's name into an error that knows the line only.
func inFile(name string, err error) error {
	var e *exit.Error
	if errors.As(err, &e) && e.File == "" && e.Line > 0 {
		e.File = name
	}
	return fmt.Errorf("reading %s: %w", name, err)
}
