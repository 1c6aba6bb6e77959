package bases

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
)

// Max is how many images one run looks up; a Dockerfile has a handful.
const Max = 100

// A Finding is what is wrong with an image.
type Finding struct {
	Base
	Text string
	Hint string // what to do; may be empty
	// Proved says that the build fails or makes an image for another platform.
	// Otherwise it may be meant: files for every platform are often in an image
	// for one.
	Proved bool
}

// Check looks the images up, all at once.
func Check(ctx context.Context, client *registry.Client, all []Base) (findings []Finding, notes []string) {
	if len(all) > Max {
		notes = append(notes, fmt.Sprintf("%d more images were not looked up", len(all)-Max))
		all = all[:Max]
	}
	type answer struct {
		finding *Finding
		err     error
	}
	answers := make([]answer, len(all))
	budget := &image.Budget{}
	var wait sync.WaitGroup
	for n, b := range all {
		wait.Go(func() {
			f, err := look(ctx, client, budget, b)
			answers[n] = answer{f, err}
		})
	}
	wait.Wait()
	for n, a := range answers {
		switch {
		case a.err != nil:
			notes = append(notes, fmt.Sprintf("line %d: %s was not looked up: %v", all[n].Line, all[n].Ref, a.err))
		case a.finding != nil:
			findings = append(findings, *a.finding)
		}
	}
	return findings, notes
}

// look looks at one image; it returns nil if nothing is wrong.
func look(ctx context.Context, client *registry.Client, budget *image.Budget, b Base) (*Finding, error) {
	ref, err := registry.ParseReference(b.Ref)
	if err != nil {
		return nil, err
	}
	r, m, err := read(ctx, client, budget, ref)
	if err != nil {
		return nil, err
	}
	if m.MediaType.IsIndex() {
		have, err := r.Platforms(ctx, m)
		if err != nil {
			return nil, err
		}
		return b.index(have), nil
	}
	hint := make(chan string, 1)
	go func() { hint <- indexOf(ctx, client, budget, ref, b) }()
	have, err := r.Platforms(ctx, m)
	if err != nil {
		return nil, err
	}
	return b.single(have[0], ref, <-hint), nil
}

// read reads what a reference names.
func read(ctx context.Context, client *registry.Client, budget *image.Budget, ref registry.Reference) (*image.Reader, *image.Manifest, error) {
	stored, ok, err := client.Lookup(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, fmt.Errorf("there is no %s", ref)
	}
	r := &image.Reader{Store: image.Remote{Client: client, Repo: ref.Repository}, Ref: ref.String(), Budget: budget}
	m, err := r.Top(stored)
	return r, m, err
}

// index judges an image that is an index.
func (b Base) index(have platform.List) *Finding {
	not := lacking(b.Uses, have)
	if len(not) == 0 {
		return nil
	}
	f := &Finding{Base: b, Text: fmt.Sprintf("%s has no image for %s; it has %s", b.Ref, platformsOf(not), have)}
	for _, u := range not {
		instead := slices.ContainsFunc(have, func(q platform.Platform) bool { return substitutes(u.Platform, q) })
		f.Proved = f.Proved || !u.Named && (u.Result || !instead)
	}
	return f
}

// single judges an image that is one platform's.
func (b Base) single(have platform.Platform, ref registry.Reference, hint string) *Finding {
	not := lacking(b.Uses, platform.NewList(have))
	if len(not) == 0 {
		return nil
	}
	f := &Finding{Base: b, Hint: hint}
	f.Text = fmt.Sprintf("%s is one image, for %s, and it is wanted for %s", b.Ref, have, platformsOf(not))
	if ref.Digest != (v1.Hash{}) {
		f.Text = fmt.Sprintf("the digest in %s is of the image for %s alone, and it is wanted for %s", b.Ref, have, platformsOf(not))
		if f.Hint == "" {
			f.Hint = "pin the digest of the index instead, which has all platforms"
		}
	}
	for _, u := range not {
		f.Proved = f.Proved || u.Result && !u.Named
	}
	return f
}

// indexOf returns what to write instead of the digest of one platform's image,
// if a tag is named as well that has all platforms.
func indexOf(ctx context.Context, client *registry.Client, budget *image.Budget, ref registry.Reference, b Base) string {
	if ref.Digest == (v1.Hash{}) || ref.Tag == "" {
		return ""
	}
	r, m, err := read(ctx, client, budget, ref.Repository.Tag(ref.Tag))
	if err != nil || !m.MediaType.IsIndex() {
		return ""
	}
	list, err := r.List(ctx, m)
	if err != nil {
		return ""
	}
	var have []platform.Platform
	same := false
	for _, e := range list.Images {
		same = same || e.Listed.Digest == ref.Digest
		if e.Platform != nil {
			have = append(have, *e.Platform)
		}
	}
	if len(lacking(b.Uses, platform.NewList(have...))) > 0 {
		return ""
	}
	name, _, _ := strings.Cut(b.Ref, "@")
	write := fmt.Sprintf("write %s@%s", name, m.Stored.Digest)
	if !same {
		return write + ", the index that the tag names now; the digest is of an older one"
	}
	return write + ", the index that has it"
}
