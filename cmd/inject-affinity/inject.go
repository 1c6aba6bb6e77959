package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/polyarch/polyarch/internal/affinity"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/kubeyaml"
	"github.com/polyarch/polyarch/internal/lookup"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
	"github.com/polyarch/polyarch/internal/registry"
)

// An injector turns chunks of manifests into edits.
type injector struct {
	images  *catalogue
	book    *lookup.Cache // nil: no registry is asked
	kinds   kubeyaml.Kinds
	taints  []pod.Taint
	options affinity.Options
	skip    bool // an image whose platforms are not known narrows nothing
}

// lookups is how many registry look-ups run at the same time.
const lookups = 8

func (c *config) injector(log *command.Log) (*injector, error) {
	images, err := c.catalogue()
	if err != nil {
		return nil, err
	}
	in := &injector{
		images:  images,
		options: affinity.Options{PerPlatform: c.terms == "per-platform", Cluster: c.cluster},
		skip:    c.onUnknown == "skip",
	}
	if !c.offline {
		in.book = lookup.New(registry.New(registry.Options{
			Keychain:  authn.DefaultKeychain,
			Insecure:  c.insecure,
			UserAgent: "inject-affinity",
			Logf:      log.Infof,
		}), lookups)
	}
	for _, s := range c.podSpecs {
		if err := in.kinds.Add(s); err != nil {
			return nil, exit.Usagef("flag --pod-spec: %w", err)
		}
	}
	for _, s := range c.taints {
		t, err := pod.ParseTaint(s)
		if err != nil {
			return nil, exit.Usagef("flag --taints: %w", err)
		}
		in.taints = append(in.taints, t)
	}
	return in, nil
}

// findings are what an injector makes of a chunk. File names are not in them.
type findings struct {
	edits           []kubeyaml.Edit
	workloads       []workload
	warnings, notes []note
}

// file sends one source through the injector into out.
func (in *injector) file(ctx context.Context, s source, out *sink, rec *record) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	if err := out.begin(s); err != nil {
		return err
	}
	err = in.stream(ctx, r, !s.found, func(c kubeyaml.Chunk, f findings) error {
		rec.add(s.name, f)
		return out.chunk(c, f.edits)
	})
	if err != nil {
		return exit.InFile(s.name, err)
	}
	return out.end()
}

// document returns the edits to a document.
func (in *injector) document(ctx context.Context, doc *kubeyaml.Document) (findings, error) {
	var f findings
	for _, w := range doc.Workloads {
		if err := in.workload(ctx, doc, w, &f); err != nil {
			return f, fmt.Errorf("%s: %w", title(w), err)
		}
	}
	if err := doc.Results(results(doc, f)); err != nil {
		return f, err
	}
	var err error
	f.edits, err = doc.Edits()
	return f, err
}

// results returns the findings of a document as a KRM function reports them.
func results(doc *kubeyaml.Document, f findings) []kubeyaml.Result {
	var out []kubeyaml.Result
	for i, w := range doc.Workloads {
		r := kubeyaml.Result{APIVersion: w.APIVersion, Kind: w.Kind, Namespace: w.Namespace, Name: w.Name}
		if done := f.workloads[i]; done.Changed {
			r.Severity, r.Message = "info", fmt.Sprintf("%s: changed, platforms: %s", title(w), done.Platforms)
			out = append(out, r)
		}
		for n, note := range slices.Concat(f.warnings, f.notes) {
			if note.workload != i {
				continue
			}
			r.Severity, r.Message = "info", note.Text
			if n < len(f.warnings) {
				r.Severity = "warning"
			}
			out = append(out, r)
		}
	}
	return out
}

func (in *injector) workload(ctx context.Context, doc *kubeyaml.Document, w *kubeyaml.Workload, f *findings) error {
	before := doc.Requested()
	images := make([]affinity.Image, len(w.Spec.Containers))
	for i, c := range w.Spec.Containers {
		list, text, err := in.platforms(ctx, c.Image)
		if err != nil {
			if !in.skip || ctx.Err() != nil {
				return unknown(c, err)
			}
			f.warnings = append(f.warnings, note{workload: len(f.workloads), Line: c.Line, Text: fmt.Sprintf("the platforms of image %s are not known, so it narrows nothing: %v", c.Image, err)})
		}
		images[i] = affinity.Image{Container: c, Platforms: list}
		if text != "" && text != c.Image {
			if err := w.SetImage(i, text); err != nil {
				return err
			}
		}
	}
	pinned := doc.Requested()
	change, err := affinity.Plan(w.Spec, images, in.options)
	if err != nil {
		return err
	}
	if err := w.Affinity(change.New, change.Existing); err != nil {
		return err
	}
	if w.Spec.NodeName == "" {
		if err := w.Tolerations(affinity.Tolerations(w.Spec, images, in.taints)); err != nil {
			return err
		}
	}
	common, _, _ := affinity.Common(images)
	done := workload{Line: w.Line, Platforms: common, Changed: doc.Requested() > before}
	// cloned, so that the record does not keep the document's bytes alive
	done.Kind, done.Namespace, done.Name = strings.Clone(w.Kind), strings.Clone(w.Namespace), strings.Clone(w.Name)
	if doc.Requested() > pinned {
		for _, text := range warnings(w) {
			f.warnings = append(f.warnings, note{workload: len(f.workloads), Line: w.Line, Text: text})
		}
		for _, text := range notes(w) {
			f.notes = append(f.notes, note{workload: len(f.workloads), Line: w.Line, Text: text})
		}
	}
	f.workloads = append(f.workloads, done)
	return nil
}

// platforms returns the platforms of an image, and what to write in its place:
// the reference of the build it stands for, or "".
func (in *injector) platforms(ctx context.Context, image string) (platform.List, string, error) {
	b, open := in.images.find(image)
	text := ""
	if open {
		text = b.text
	}
	if b != nil && b.platforms != nil {
		return b.platforms, text, nil
	}
	ref, err := in.reference(image, b)
	if err != nil {
		return nil, text, err
	}
	list, err := in.book.Platforms(ctx, ref)
	return list, text, err
}

// reference returns what to ask a registry for.
func (in *injector) reference(image string, b *build) (registry.Reference, error) {
	if in.book == nil {
		return registry.Reference{}, exit.Failf("its registry was not asked, because of --offline").
			Hint("name it in an --artifacts file, or with --image '%s=%s;linux/amd64'", image, image)
	}
	if b != nil {
		return b.ref, nil
	}
	if strings.HasPrefix(image, "ko://") {
		return registry.Reference{}, exit.Failf("ko has not built it").Hint("name it in an --artifacts file, or run ko resolve before")
	}
	ref, err := registry.ParseReference(image)
	if err != nil {
		return ref, exit.Failf("%w", err)
	}
	return ref, nil
}

// ask looks up all images of some documents at once, so that the documents
// need not wait for each other. What fails fails again when it is needed.
func (in *injector) ask(ctx context.Context, docs []*kubeyaml.Document) {
	var wg sync.WaitGroup
	seen := map[string]bool{}
	for _, d := range docs {
		for _, w := range d.Workloads {
			for _, c := range w.Spec.Containers {
				if seen[c.Image] {
					continue
				}
				seen[c.Image] = true
				if b, _ := in.images.find(c.Image); b != nil && b.platforms != nil {
					continue
				}
				wg.Go(func() { in.platforms(ctx, c.Image) })
			}
		}
	}
	wg.Wait()
}

// unknown puts an image and its place before the reason why its platforms are
// not known, and keeps the reason's exit code and hints.
func unknown(c pod.Container, err error) error {
	var e *exit.Error
	code, hints := exit.CodeOf(err), []string(nil)
	if errors.As(err, &e) {
		hints = slices.Clone(e.Hints)
	}
	e = &exit.Error{Code: code, Hints: hints, Err: fmt.Errorf("the platforms of image %s are not known: %s", c.Image, err.Error())}
	return e.OnLine(c.Line, 0)
}
