package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/output"
	"github.com/polyarch/polyarch/internal/platform"
)

// reportBuilt returns what was built for a later run to stitch. The results of
// an index are those of the image, if there is one; if there are several, they
// are empty.
func (c *config) reportBuilt(to destination, sources []index.Source, r *index.Result) output.Report {
	doc := struct {
		Sources   []string      `json:"sources"`
		Platforms platform.List `json:"platforms"`
		Missing   platform.List `json:"missing"`
	}{sourceList(sources), append(platform.List{}, r.Platforms()...), append(platform.List{}, r.Missing...)}
	repo := to.String()
	list := doc.Sources
	var url, digest, byDigest string
	switch {
	case to.layout != "" && r.Index != nil:
		url, digest = repo, r.Index.Digest.String()
		byDigest = repo + "@" + digest
		// the list travels with the layout beside it
		beside := slices.Clone(sources)
		beside[0].Ref = layout.Name{Path: filepath.Base(to.layout)}.String()
		list = sourceList(beside)
	case len(sources) == 1 && sources[0].Ref != "":
		tagged, d, _ := strings.Cut(sources[0].Ref, "@")
		url, digest, byDigest = tagged, d, repo+"@"+d
	}
	images := imageList(repo, r)
	return output.Report{
		Results: []output.Result{
			{Name: "image-url", Text: url},
			{Name: "image-digest", Text: digest},
			{Name: "image-ref", Text: byDigest},
			{Name: "images", Text: strings.Join(images, ","), List: images},
			{Name: "platforms", Text: doc.Platforms.String(), List: doc.Platforms.Strings()},
			{Name: "missing", Text: doc.Missing.String(), List: doc.Missing.Strings()},
			{Name: "source", Text: strings.Join(doc.Sources, ","), List: doc.Sources},
			{Name: "source-list", Text: c.madeList(list)},
		},
		Text:    strings.Join(doc.Sources, "\n") + "\n",
		JSON:    doc,
		Summary: "### Built for a later stitch\n\n" + missingLine(doc.Missing) + imageTable(c.children(r)),
	}
}

func sourceList(sources []index.Source) []string {
	var list []string
	for _, s := range sources {
		list = append(list, s.String())
	}
	return list
}

func imageList(repo string, r *index.Result) []string {
	var list []string
	for _, i := range r.Images {
		list = append(list, repo+"@"+i.Descriptor.Digest.String())
	}
	return list
}
