package main

import (
	"context"
	"fmt"
	"io"
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
	"github.com/polyarch/polyarch/internal/readiness"
	"github.com/polyarch/polyarch/internal/registry"
)

// An injector turns chunks of manifests into edits.
type injector struct {
	images  *catalogue
	cache   *lookup.Cache // nil: no registry is asked
	kinds   kubeyaml.Kinds
	taints  []pod.Taint
	options affinity.Options
	skip    bool // an image whose platforms are not known narrows nothing

	notesImages, pinsNothing bool // for ConfigMaps

	survey bool     // documents are read for a report and not changed
	others []string // kinds without a PodSpec that it wants
}

// lookups is how many registry look-ups run at the same time.
const lookups = 8

func (c *config) injector(ctx context.Context, log *command.Log, stdin io.Reader) (*injector, error) {
	images, err := c.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	in := &injector{
		images:  images,
		options: affinity.Options{PerPlatform: c.terms == "per-platform", Cluster: c.cluster, Levels: c.labels == nfd},
		skip:    c.onUnknown == "skip",

		notesImages: c.printsPolicy() || c.policyUpdate != "",
		pinsNothing: c.printsPolicy(),
	}
	if !c.offline {
		in.cache = lookup.New(registry.New(registry.Options{
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
	if err := c.learn(ctx, &in.kinds, stdin); err != nil {
		return nil, err
	}
	for _, s := range c.prefer {
		p, err := affinity.ParsePreference(s)
		if err != nil {
			return nil, exit.Usagef("flag --prefer: %w", err)
		}
		in.options.Prefer = append(in.options.Prefer, p)
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
	problems        []error         // why the run cannot succeed
	unknown         []unknown       // images whose platforms are not known
	named           map[string]bool // of unknown
	unread          []kubeyaml.Unread
	left            []note   // objects that are left alone
	flags           []string // --pod-spec flags that name a place in it
	images          []imageKey
	object          bool // it holds an object
	template        bool // it has to be rendered first
	patch           bool // it is of a patch, and says where Pods run

	found  []readiness.Found // of a survey, as the next
	others []kubeyaml.Other
}

// file sends one source through the injector into out.
func (in *injector) file(ctx context.Context, s source, out *sink, rec *record) error {
	r, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := out.begin(ctx, s, r); err != nil {
		return err
	}
	defer out.drop()
	seen := fileSeen{source: s}
	err = in.stream(ctx, r, s, func(c kubeyaml.Chunk, f findings) error {
		seen.add(c, f)
		rec.add(s, f)
		return out.chunk(c, f.edits)
	})
	if err != nil {
		return exit.InFile(s.name, err)
	}
	rec.file(seen)
	return out.end()
}

// document returns what is to be done with a document. What is wrong with a
// workload does not keep the others from being looked at.
func (in *injector) document(ctx context.Context, doc *kubeyaml.Document) (findings, error) {
	f := findings{object: doc.Object, unread: doc.Unread}
	for _, w := range doc.Workloads {
		f.flags = append(f.flags, w.Flags...)
		if err := in.workload(ctx, doc, w, &f); err != nil {
			if ctx.Err() != nil {
				return f, err
			}
			f.problems = append(f.problems, fmt.Errorf("%s: %w", title(w), err))
		}
	}
	for _, d := range doc.Duplicates {
		f.warnings = append(f.warnings, note{workload: -1, Line: d.Line, Text: fmt.Sprintf("the key %q appears twice in one mapping; decoders disagree on which counts", d.Key)})
	}
	for _, l := range doc.Left {
		f.left = append(f.left, note{Line: l.Line, Text: l.Object + ": " + l.Why + "; it is left alone, and what is built with it is what to pin"})
	}
	if len(f.problems) > 0 || len(f.unknown) > 0 {
		return f, nil
	}
	if doc.Function() {
		if err := doc.Results(results(doc, f)); err != nil {
			return f, err
		}
	}
	var err error
	f.edits, err = doc.Edits()
	return f, err
}

// results returns the findings of a document as a KRM function reports them.
func results(doc *kubeyaml.Document, f findings) []kubeyaml.Result {
	said := map[int][]kubeyaml.Result{} // by workload
	for n, note := range slices.Concat(f.warnings, f.notes) {
		r := kubeyaml.Result{Severity: "info", Message: note.Text}
		if n < len(f.warnings) {
			r.Severity = "warning"
		}
		said[note.workload] = append(said[note.workload], r)
	}
	var out []kubeyaml.Result
	for i, w := range doc.Workloads {
		all := said[i]
		if done := f.workloads[i]; done.Changed {
			all = append([]kubeyaml.Result{{Severity: "info", Message: fmt.Sprintf("%s: changed, platforms: %s", title(w), done.Platforms)}}, all...)
		}
		for _, r := range all {
			r.APIVersion, r.Kind, r.Namespace, r.Name = w.APIVersion, w.Kind, w.Namespace, w.Name
			out = append(out, r)
		}
	}
	return out
}

func (in *injector) workload(ctx context.Context, doc *kubeyaml.Document, w *kubeyaml.Workload, f *findings) error {
	before := doc.Requested()
	images := make([]affinity.Image, len(w.Spec.Containers))
	missing := false
	for i, c := range w.Spec.Containers {
		list, text, err := in.platforms(ctx, c.Image)
		switch {
		case err != nil && ctx.Err() != nil:
			return err
		case err != nil && !in.skip:
			missing = true
			if !f.named[c.Image] { // an alias may repeat it many times
				set(&f.named, c.Image)
				f.unknown = append(f.unknown, unknownImage(w, c, err))
			}
		case err != nil:
			f.warnings = append(f.warnings, note{workload: len(f.workloads), Line: c.Line, Text: fmt.Sprintf("the platforms of image %s are not known, so it narrows nothing: %v", c.Image, err)})
		}
		if said := in.narrow(ctx, c.Image); err == nil && said != "" {
			f.warnings = append(f.warnings, note{workload: len(f.workloads), Line: c.Line, Text: said})
		}
		images[i] = affinity.Image{Container: c, Platforms: list}
		if in.notesImages && list != nil {
			keys, err := in.keys(ctx, strings.Clone(w.Namespace), c.Image, list)
			if err != nil {
				return err
			}
			f.images = append(f.images, keys...)
		}
		if in.pinsNothing {
			continue
		}
		if text != "" && text != c.Image {
			if err := w.SetImage(i, text); err != nil {
				return err
			}
		}
	}
	if w.Architecture != "" {
		p, err := platform.Parse("linux/" + w.Architecture)
		if err != nil {
			return exit.Failf("its architecture: %w", err).OnLine(w.Line, 0)
		}
		images = append(images, affinity.Image{Container: pod.Container{Name: "architecture", Image: w.Architecture, Line: w.Line}, Platforms: platform.List{p}})
	}
	done := workload{Line: w.Line}
	// cloned, so that the record does not keep the document's bytes alive
	done.Kind, done.Namespace, done.Name = strings.Clone(w.Kind), strings.Clone(w.Namespace), strings.Clone(w.Name)
	if missing || in.pinsNothing {
		f.workloads = append(f.workloads, done)
		return nil
	}
	pinned := doc.Requested()
	change, err := affinity.Plan(w.Spec, images, in.options)
	if err != nil {
		return err
	}
	if err := w.Affinity(change.New, change.Existing, change.Preferred); err != nil {
		return err
	}
	if w.Spec.NodeName == "" {
		if err := w.Tolerations(affinity.Tolerations(w.Spec, images, in.taints)); err != nil {
			return err
		}
	}
	done.Platforms, _, _ = affinity.Common(images)
	done.Changed = doc.Requested() > before
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
	list, err := in.cache.Platforms(ctx, ref)
	return list, text, err
}

// reference returns what to ask a registry for.
func (in *injector) reference(image string, b *build) (registry.Reference, error) {
	switch {
	case in.cache == nil:
		return registry.Reference{}, exit.Failf("its registry was not asked, because of --offline")
	case b != nil && b.ref != (registry.Reference{}):
		return b.ref, nil
	case strings.HasPrefix(image, "ko://"):
		return registry.Reference{}, exit.Failf("ko has not built it").Hint("name it in an --artifacts file, or run ko resolve before")
	}
	ref, err := registry.ParseReference(image)
	if err != nil {
		return ref, exit.Failf("it is not a reference that a registry could be asked for: %w", err)
	}
	return ref, nil
}

// ask looks up all images of some documents at once, so that the documents
// need not wait for each other. What fails fails again when it is needed.
func (in *injector) ask(ctx context.Context, docs []*kubeyaml.Document) {
	var wg sync.WaitGroup
	seen := map[string]bool{}
	for _, d := range docs {
		if d == nil {
			continue
		}
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
