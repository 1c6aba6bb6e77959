package index

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/sbom"
)

// An Attachment is a file that becomes a referrer of the index or of an image
// in it: an SBOM, a scan, a test report.
type Attachment struct {
	ArtifactType string
	Platform     *platform.Platform // of the image; nil: the index
	Each         bool               // one of several files of which each image has its own
	Name         string             // as messages name the file
	Title        string             // by which it is stored
	Digest       v1.Hash
	Size         int64
	Open         func() (io.ReadCloser, error)
	Packages     *sbom.Packages // of a bill of materials; nil for anything else
}

// A Referrer is a manifest that refers to the index or to an image in it.
type Referrer struct {
	ArtifactType string
	Digest       v1.Hash
	Name         string // of the file
}

// empty is the config of an artifact that has none (OCI image-spec,
// manifest.md, "Guidance for an Empty Descriptor").
var empty = []byte("{}")

var emptyDescriptor = func() v1.Descriptor {
	digest, size, err := v1.SHA256(bytes.NewReader(empty))
	if err != nil {
		panic(err)
	}
	return v1.Descriptor{MediaType: "application/vnd.oci.empty.v1+json", Digest: digest, Size: size}
}()

// An artifact is a manifest that refers to another (OCI image-spec,
// manifest.md), with its fields in the order in which they are written. It says
// no time, so that the same file is the same artifact.
type artifact struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType"`
	ArtifactType  string          `json:"artifactType"`
	Config        v1.Descriptor   `json:"config"`
	Layers        []v1.Descriptor `json:"layers"`
	Subject       v1.Descriptor   `json:"subject"`
}

func (a Attachment) blob() v1.Descriptor {
	return v1.Descriptor{MediaType: types.MediaType(a.ArtifactType), Digest: a.Digest, Size: a.Size, Annotations: map[string]string{"org.opencontainers.image.title": a.Title}}
}

// referring makes the manifest of an attachment to subject.
func (a Attachment) referring(subject v1.Descriptor) (registry.NewReferrer, error) {
	b, err := json.MarshalIndent(artifact{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: a.ArtifactType, Config: emptyDescriptor, Layers: []v1.Descriptor{a.blob()},
		Subject: v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
	}, "", "  ")
	if err != nil {
		return registry.NewReferrer{}, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(b))
	return registry.NewReferrer{
		Manifest:   &registry.Manifest{MediaType: types.OCIManifestSchema1, Digest: digest, Bytes: b},
		Descriptor: v1.Descriptor{MediaType: types.OCIManifestSchema1, ArtifactType: a.ArtifactType, Digest: digest, Size: size},
	}, err
}

// attached says which files each image gets, and the index. It refuses a file
// that has no image, an image that lacks one which others have, and a bill of
// materials of another architecture. The images are as they stand in the index;
// the file of one that is missing, or that was there before in its place, is
// left out.
func attached(attachments []Attachment, images []*Image, kept map[*Image]bool, gaps []Gap, note func(string, ...any)) (of map[*Image][]Attachment, ofIndex []Attachment, err error) {
	of = map[*Image][]Attachment{}
	var platforms []platform.Platform
	for _, i := range images {
		platforms = append(platforms, i.Platform)
	}
	all := platform.NewList(platforms...)
	for _, a := range attachments {
		if a.Platform == nil {
			if err := a.describes(all, note); err != nil {
				return nil, nil, err
			}
			ofIndex = append(ofIndex, a)
			continue
		}
		some := slices.DeleteFunc(slices.Clone(images), func(i *Image) bool { return i.Platform != *a.Platform })
		if len(some) == 0 {
			some = slices.DeleteFunc(slices.Clone(images), func(i *Image) bool { return !a.Platform.Covers(i.Platform) })
		}
		gap := slices.ContainsFunc(gaps, func(g Gap) bool { return g.Platform.Covers(*a.Platform) || a.Platform.Covers(g.Platform) })
		if a.Each || gap {
			some = slices.DeleteFunc(some, func(i *Image) bool { return kept[i] })
		}
		switch {
		case len(some) == 0 && (a.Each || gap):
			note("%s is left out: the index has no new image for %s", a.Name, a.Platform)
			continue
		case len(some) == 0:
			return nil, nil, exit.Failf("attaching %s: it is for %s, and the index has %s", a.Name, a.Platform, all)
		}
		for _, i := range some {
			if err := a.describes(platform.NewList(i.Platform), note); err != nil {
				return nil, nil, err
			}
			of[i] = append(of[i], a)
		}
	}
	return of, ofIndex, lacking(attachments, slices.DeleteFunc(slices.Clone(images), func(i *Image) bool { return kept[i] }), of)
}

// lacking refuses that a new image has no file of those of which each has its own.
func lacking(attachments []Attachment, images []*Image, of map[*Image][]Attachment) error {
	for _, a := range attachments {
		for _, i := range images {
			if a.Each && !slices.ContainsFunc(of[i], func(b Attachment) bool { return b.Each && b.ArtifactType == a.ArtifactType }) {
				return exit.Failf("attaching %s: there is none for %s, and there is %s", a.ArtifactType, i.Platform, a.Name).
					Hint("each image of the index has its own, where {platform} stands in the name: %s", strings.ReplaceAll(a.Name, a.Platform.Slug(), i.Platform.Slug()))
			}
		}
	}
	return nil
}

// describes refuses a bill of materials that is of something else than what it
// is attached to.
func (a Attachment) describes(ps platform.List, note func(string, ...any)) error {
	if a.Packages == nil {
		return nil
	}
	var archs []string
	for _, p := range ps {
		if !slices.Contains(archs, p.Arch) {
			archs = append(archs, p.Arch)
		}
	}
	if said := a.Packages.Contradicts(archs...); said != "" {
		return exit.Failf("attaching %s: it is attached to %s, and lists %s", a.Name, ps, said).
			Hint("an image of each platform has packages of its own: make one of each, for example with syft scan --platform %s", ps[0])
	}
	if has := a.Packages.Architectures(); len(has) > 0 && len(has) < len(archs) {
		note("%s is attached to the index, which is for %s, and lists packages for %s alone: PLATFORM:TYPE=FILE attaches it to one image", a.Name, ps, strings.Join(has, ", "))
	}
	return nil
}

// bring has the target asked for the blobs of attachments while the sources are
// read.
func (t *transfer) bring(ctx context.Context, attachments []Attachment) (err error) {
	if len(attachments) == 0 {
		return nil
	}
	from := files{emptyDescriptor.Digest: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(empty)), nil }}
	ds := []v1.Descriptor{emptyDescriptor}
	for _, a := range attachments {
		if from[a.Digest] == nil {
			ds = append(ds, v1.Descriptor{MediaType: types.OCILayer, Digest: a.Digest, Size: a.Size})
		}
		from[a.Digest] = a.Open
	}
	t.extra, err = t.ask(ctx, from, ds, nil)
	return err
}

// files is the store of what is on this machine.
type files map[v1.Hash]func() (io.ReadCloser, error)

func (f files) open(_ context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	return f[d.Digest]()
}
func (files) repository() registry.Repository { return registry.Repository{} }
func (files) near() bool                      { return true }

// Manifest is never called: nothing here is an image.
func (files) Manifest(_ context.Context, d v1.Descriptor) (*registry.Manifest, error) {
	return nil, fmt.Errorf("%s is a file", image.Short(d.Digest))
}

// Blob is never called either.
func (files) Blob(_ context.Context, d v1.Descriptor) ([]byte, error) {
	return nil, fmt.Errorf("%s is a file", image.Short(d.Digest))
}

// An evidence is what refers to one manifest.
type evidence struct {
	subject v1.Hash
	all     []registry.NewReferrer
	byTag   bool // a tag lists it, that others may write
}

// evidences makes the referrers of the index and its images.
func evidences(r *Result, of map[*Image][]Attachment, ofIndex []Attachment) ([]*evidence, error) {
	var all []*evidence
	at := map[v1.Hash]*evidence{}
	add := func(subject v1.Descriptor, as []Attachment) (rs []Referrer, err error) {
		e := at[subject.Digest]
		if e == nil && len(as) > 0 {
			e = &evidence{subject: subject.Digest}
			at[subject.Digest] = e
			all = append(all, e)
		}
		for _, a := range as {
			m, err := a.referring(subject)
			if err != nil {
				return nil, err
			}
			rs = append(rs, Referrer{a.ArtifactType, m.Descriptor.Digest, a.Name})
			if !slices.ContainsFunc(e.all, func(have registry.NewReferrer) bool { return have.Descriptor.Digest == m.Descriptor.Digest }) {
				e.all = append(e.all, m)
			}
		}
		return rs, nil
	}
	for _, i := range r.Images {
		rs, err := add(i.Descriptor, of[i])
		if err != nil {
			return nil, err
		}
		i.Referrers = rs
	}
	var err error
	r.Referrers, err = add(image.Descriptor(r.Index), ofIndex)
	return all, err
}

// put stores evidence, all of it at once.
func put(ctx context.Context, to target, all []*evidence) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, e := range all {
		g.Go(func() (err error) {
			e.byTag, err = to.putReferrers(ctx, e.subject, e.all)
			return err
		})
	}
	return g.Wait()
}

// confirm sees to it that what a tag lists is still listed: a gate, or another
// run, may have written the tag as well.
func confirm(ctx context.Context, to target, all []*evidence) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, e := range all {
		if e.byTag {
			g.Go(func() error { return to.listReferrers(ctx, e.subject, e.all) })
		}
	}
	return g.Wait()
}
