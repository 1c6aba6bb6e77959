package main

import (
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/artifacts"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/output"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/text"
	"github.com/polyarch/polyarch/internal/verify"
)

// document is what --json prints.
type document struct {
	ImageURL  string        `json:"imageURL"` // REPO:TAG, the first tag
	Digest    v1.Hash       `json:"digest"`
	ImageRef  string        `json:"imageRef"` // REPO@DIGEST
	MediaType string        `json:"mediaType"`
	Size      int           `json:"size"` // of the index itself, in bytes
	Tags      []string      `json:"tags"`
	Platforms platform.List `json:"platforms"`
	Missing   platform.List `json:"missing"`        // that the index goes out without
	Gaps      []gap         `json:"gaps,omitempty"` // why, and what was kept instead
	Images    []child       `json:"images"`
	Referrers []referrer    `json:"referrers,omitempty"` // that this run attached to the index
	DryRun    bool          `json:"dryRun"`
}

// child is one image of the index.
type child struct {
	Platform  platform.Platform `json:"platform"`
	OSVersion string            `json:"osVersion,omitempty"`
	Zstd      bool              `json:"zstd,omitempty"` // a client needs zstd for its layers
	Digest    v1.Hash           `json:"digest"`
	Size      int64             `json:"size"` // of the manifest, in bytes
	MediaType string            `json:"mediaType"`
	Source    string            `json:"source"`
	Layers    int64             `json:"layers"`                      // the bytes of all layers, as they are stored; 0 if they were not read
	Built     float64           `json:"built,omitempty"`             // how many seconds the build took, if this run built it
	Verified  bool              `json:"verified"`                    // it will start: that was proved
	Verdict   string            `json:"verdict,omitempty"`           // "starts", "wrong" or "not verified"
	Level     *level            `json:"microarchitecture,omitempty"` // nil: any processor of the architecture, or it is not known
	Programs  []verify.Program  `json:"programs,omitempty"`
	Blobs     index.Transfer    `json:"blobs"`

	Attestations []v1.Hash  `json:"attestations,omitempty"`
	Referrers    []referrer `json:"referrers,omitempty"` // that this run attached to it
	Notes        []string   `json:"notes,omitempty"`
}

// referrer is a file that was attached.
type referrer struct {
	ArtifactType string  `json:"artifactType"`
	Digest       v1.Hash `json:"digest"` // of the manifest that refers to the image
	File         string  `json:"file"`
}

func referrers(all []index.Referrer) (rs []referrer) {
	for _, r := range all {
		rs = append(rs, referrer{r.ArtifactType, r.Digest, r.Name})
	}
	return rs
}

// level is what an image demands of the processor.
type level struct {
	Variant  string `json:"variant"` // v2, v3 or v4
	Path     string `json:"path"`    // of the program or library that demands it
	From     string `json:"from"`    // what says so, GOAMD64=v3
	Declared bool   `json:"declared"`
}

// document describes an index.
func (c *config) document(to destination, r *index.Result) document {
	at := to.String()
	doc := document{
		ImageURL:  at,
		Digest:    r.Index.Digest,
		ImageRef:  at + "@" + r.Index.Digest.String(),
		MediaType: string(r.Index.MediaType),
		Size:      len(r.Index.Bytes),
		Tags:      to.tags,
		Platforms: r.Platforms(),
		Missing:   append(platform.List{}, r.Missing...),
		Gaps:      gapsOf(r),
		Referrers: referrers(r.Referrers),
		DryRun:    c.dryRun,
	}
	if len(to.tags) > 0 {
		doc.ImageURL += ":" + to.tags[0]
	}
	doc.Images = c.children(r)
	return doc
}

// report returns the results.
func (c *config) report(to destination, sources []string, r *index.Result) output.Report {
	doc := c.document(to, r)
	rows := [][]string{}
	for _, i := range r.Images {
		rows = append(rows, []string{"  " + imageName(i.Platform, i.Zstd), i.Descriptor.Digest.String(), i.Source.Ref})
	}
	for _, p := range r.Missing {
		rows = append(rows, []string{"  " + p.String(), "missing"})
	}
	head := doc.ImageURL + "@" + doc.Digest.String()
	if c.dryRun {
		head += " (dry run: nothing was written)"
	}
	return output.Report{
		Results: c.results(doc, sources),
		Text:    head + "\n" + text.Table(rows),
		JSON:    doc,
		Summary: summary(doc),
		Files:   c.files(doc),
	}
}

// results returns the results of an index; all are empty for none.
func (c *config) results(doc document, sources []string) []output.Result {
	repo, _, _ := strings.Cut(doc.ImageRef, "@")
	var images []string
	for _, i := range doc.Images {
		images = append(images, repo+"@"+i.Digest.String())
	}
	digest, list := "", ""
	if doc.Digest != (v1.Hash{}) {
		digest = doc.Digest.String()
	}
	if sources != nil {
		list = c.madeList(sources)
	}
	return []output.Result{
		{Name: "image-url", Text: doc.ImageURL},
		{Name: "image-digest", Text: digest},
		{Name: "image-ref", Text: doc.ImageRef},
		{Name: "images", Text: strings.Join(images, ","), List: images},
		{Name: "platforms", Text: doc.Platforms.String(), List: doc.Platforms.Strings()},
		{Name: "missing", Text: doc.Missing.String(), List: doc.Missing.Strings()},
		{Name: "source", Text: strings.Join(sources, ","), List: sources},
		{Name: "source-list", Text: list},
	}
}

// children describes the images of an index.
func (c *config) children(r *index.Result) []child {
	var all []child
	for _, i := range r.Images {
		one := child{
			Platform:  i.Platform,
			OSVersion: i.Descriptor.Platform.OSVersion,
			Zstd:      i.Zstd,
			Digest:    i.Descriptor.Digest,
			Size:      i.Descriptor.Size,
			MediaType: string(i.Descriptor.MediaType),
			Source:    i.Source.Ref,
			Notes:     i.Source.Notes,
			Built:     c.build.took[i.Source.Ref].Seconds(),
		}
		for _, l := range i.Layers {
			one.Layers += l.Size
		}
		if v := i.Verification; v != nil {
			one.Verified, one.Verdict, one.Programs = v.Proved(), string(v.Verdict), v.Programs
			one.Notes = append(slices.Clone(one.Notes), v.Notes...)
			if v.Level.Variant != "" {
				one.Level = &level{v.Level.Variant, v.Level.Path, v.Level.From, v.Declared}
			}
		}
		one.Blobs, one.Referrers = i.Transfer, referrers(i.Referrers)
		for _, a := range i.Attestations {
			one.Attestations = append(one.Attestations, a.Descriptor.Digest)
		}
		all = append(all, one)
	}
	return all
}

// imageName tells an image from others of its index.
func imageName(p platform.Platform, zstd bool) string {
	if zstd {
		return p.String() + " (zstd)"
	}
	return p.String()
}

// files returns the files that flags ask for beside the results.
func (c *config) files(d document) map[string][]byte {
	files := map[string][]byte{}
	if c.artifacts != "" {
		name := c.name
		if name == "" {
			name, _, _ = strings.Cut(d.ImageRef, "@")
		}
		built := artifacts.Build{ImageName: name, Tag: d.ImageURL + "@" + d.Digest.String(), Platforms: d.Platforms}
		files[c.artifacts] = artifacts.File{Builds: []artifacts.Build{built}}.Marshal()
	}
	return files
}
