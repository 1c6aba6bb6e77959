package published

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

const (
	// parallelImages is how many images of a whole repository are checked at a
	// time, which bounds memory. What is named one by one is checked at once.
	parallelImages = 8
	parallelNames  = 64
)

// A Name is what to check.
type Name struct {
	layout layout.Name        // if Path is not empty
	ref    registry.Reference // of a registry
	all    bool               // every tag of ref's repository
}

// ParseName reads REPO[:TAG][@DIGEST], REPO:* for a whole repository, oci:PATH[:TAG],
// or a digest alone, which is in repo.
func ParseName(s string, repo registry.Repository) (n Name, err error) {
	var ok bool
	if n.layout, ok, err = layout.ParseName(s); ok || err != nil {
		return n, err
	}
	if strings.HasPrefix(s, "sha256:") && repo.Path != "" {
		s = repo.String() + "@" + s
	}
	if whole, ok := strings.CutSuffix(s, ":*"); ok {
		n.all = true
		n.ref.Repository, err = registry.ParseRepository(whole)
		return n, err
	}
	n.ref, err = registry.ParseReference(s)
	return n, err
}

// A Job is what to check, and how.
type Job struct {
	Client *registry.Client // it should not wait for manifests that do not exist
	Names  []Name
	Verify verify.Mode
}

// Check checks whether what names lead to can be pulled whole. It writes
// nothing. An error means that it could not be found out.
func Check(ctx context.Context, j Job) (*Report, error) {
	var places []*place // in the order of the names
	byRepo := map[registry.Repository]*place{}
	names := map[*place][]Name{}
	for _, n := range j.Names {
		p := byRepo[n.ref.Repository]
		switch {
		case n.layout.Path != "":
			l, err := layout.Open(n.layout.Path)
			if err != nil {
				return nil, err
			}
			p = newPlace(local{image.Local{Layout: l}}, n.layout.String())
		case p == nil:
			p = newPlace(remote{j.Client, n.ref.Repository}, n.ref.Repository.String())
			p.client, p.repo = j.Client, n.ref.Repository
			byRepo[n.ref.Repository] = p
			if err := j.Client.Expect(ctx, p.repo, "pull"); err != nil {
				return nil, err
			}
		}
		if names[p] == nil {
			places = append(places, p)
		}
		names[p] = append(names[p], n)
	}
	roots := make([][]*root, len(places))
	g, gctx := errgroup.WithContext(ctx)
	for n, p := range places {
		g.Go(func() (err error) {
			roots[n], err = p.check(gctx, names[p], j.Verify)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	report := &Report{}
	for _, r := range slices.Concat(roots...) {
		report.take(r.image)
		slices.Sort(r.notes)
		report.Notes = append(report.Notes, slices.Compact(r.notes)...)
	}
	return report, nil
}

// check checks what names of a place lead to, each digest once.
func (p *place) check(ctx context.Context, names []Name, mode verify.Mode) ([]*root, error) {
	var heads []head
	var orphans *root
	var err error
	parallel := parallelNames
	switch n := names[0]; {
	case n.layout.Path != "":
		heads, err = p.ofLayout(n.layout)
	case slices.ContainsFunc(names, func(n Name) bool { return n.all }):
		heads, err = p.ofRepository(ctx, names)
		parallel = parallelImages
	default:
		heads, err = p.ofNames(ctx, names)
	}
	if err != nil {
		return nil, err
	}
	roots := grouped(p, heads)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, r := range roots {
		g.Go(func() error { return r.run(gctx, mode) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if parallel == parallelImages {
		if orphans, err = p.orphans(ctx); err != nil {
			return nil, err
		}
		if orphans != nil {
			roots = append(roots, orphans)
		}
	}
	return roots, nil
}

// A head is what one name was found to name.
type head struct {
	name   string // as findings say it
	tag    string // may be empty
	digest v1.Hash
	size   int64
	media  string
	err    error // it could not be read; then it is a finding
}

// grouped makes one root of all tags that name a digest.
func grouped(p *place, heads []head) []*root {
	var roots []*root
	byDigest := map[v1.Hash]*root{}
	for _, h := range heads {
		r := byDigest[h.digest]
		if r == nil || h.err != nil {
			r = &root{place: p, head: h, image: newImage(h), counted: map[*part]bool{}}
			roots = append(roots, r)
			if h.err == nil {
				byDigest[h.digest] = r
			}
		}
		if h.tag != "" && !slices.Contains(r.image.Tags, h.tag) {
			r.image.Tags = append(r.image.Tags, h.tag)
		}
	}
	return roots
}

func newImage(h head) *Image {
	i := &Image{Reference: h.name, Images: []v1.Hash{}, Platforms: platform.List{}}
	if h.digest != (v1.Hash{}) {
		i.Digest = h.digest.String()
	}
	return i
}

// run reads what the root names, and checks it.
func (r *root) run(ctx context.Context, mode verify.Mode) error {
	if r.head.err != nil {
		return r.explain(ctx, r.head.err, Reference, "", r.head.digest, "it")
	}
	r.from = &image.Reader{Store: r.place, Ref: r.image.Reference, Budget: &image.Budget{}}
	r.verifier = verify.New(mode)
	stored, err := r.read(ctx, v1.Descriptor{Digest: r.head.digest, Size: r.head.size, MediaType: types.MediaType(r.head.media)})
	if err != nil {
		return r.explain(ctx, err, Reference, "", r.head.digest, "it")
	}
	m, err := r.from.Top(stored)
	if err != nil {
		return r.explain(ctx, err, Content, "", r.head.digest, "it")
	}
	return r.check(ctx, m)
}

// ofLayout returns what a layout has under a tag.
func (p *place) ofLayout(n layout.Name) ([]head, error) {
	d, err := p.store.(local).Resolve(n.Tag)
	if err != nil {
		return nil, err
	}
	return []head{{name: n.String(), tag: n.Tag, digest: d.Digest, size: d.Size, media: string(d.MediaType)}}, nil
}

// ofNames reads what references name, and beside that which tags there are: it
// saves asking for those that are not. A list that takes more than a page, or
// that a registry does not give out, is left.
func (p *place) ofNames(ctx context.Context, names []Name) ([]head, error) {
	heads := make([]head, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelNames)
	g.Go(func() error {
		if tags, more, err := p.client.FirstTags(ctx, p.repo); err == nil {
			p.list(tags, !more)
		}
		return nil
	})
	for i, n := range names {
		g.Go(func() error {
			h := &heads[i]
			h.name, h.tag, h.digest = n.ref.String(), n.ref.Tag, n.ref.Digest
			m, err := p.client.Manifest(ctx, n.ref)
			switch {
			case err == nil:
				h.digest = m.Digest
				p.know(m)
			case ctx.Err() != nil || !missing(err) && exit.CodeOf(err) != exit.Failed:
				return err
			}
			h.err = err
			return nil
		})
	}
	return heads, g.Wait()
}

func (p *place) list(tags []string, all bool) {
	p.tags, p.allTags = map[string]bool{}, all
	for _, t := range tags {
		p.tags[t] = true
	}
}

// evidenceTag is a tag that a client of referrers keeps, and the digest in it.
var evidenceTag = regexp.MustCompile(`^sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?$`)

// ofRepository finds out what all tags of a repository name.
func (p *place) ofRepository(ctx context.Context, names []Name) ([]head, error) {
	tags, err := p.client.AllTags(ctx, p.repo)
	if err != nil {
		return nil, err
	}
	p.list(tags, true)
	var refs []registry.Reference
	for _, n := range names { // beside *
		if !n.all && !(n.ref.Digest == v1.Hash{} && p.tags[n.ref.Tag]) {
			refs = append(refs, n.ref)
		}
	}
	for _, t := range tags {
		if !evidenceTag.MatchString(t) {
			refs = append(refs, p.repo.Tag(t))
		}
	}
	heads := make([]head, len(refs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelNames)
	for i, ref := range refs {
		g.Go(func() error {
			h := &heads[i]
			h.name, h.tag, h.digest = ref.String(), ref.Tag, ref.Digest
			d, ok, err := p.client.Head(ctx, ref)
			switch {
			case err == nil && ok:
				h.digest = d
			case err == nil:
				h.err = errGone
			case ctx.Err() != nil || exit.CodeOf(err) != exit.Failed:
				return err
			default:
				h.err = err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(heads, func(a, b head) int { return cmp.Compare(a.name, b.name) })
	return heads, nil
}

// orphans finds evidence about what the repository does not have.
func (p *place) orphans(ctx context.Context) (*root, error) {
	r := &root{place: p, image: newImage(head{name: p.name + ":*"}), counted: map[*part]bool{}}
	r.from = &image.Reader{Store: p, Ref: p.name, Budget: &image.Budget{}}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelNames)
	for tag := range p.tags {
		m := evidenceTag.FindStringSubmatch(tag)
		if m == nil {
			continue
		}
		subject := v1.Hash{Algorithm: "sha256", Hex: m[1]}
		if p.there(subject) { // it has been looked at
			continue
		}
		g.Go(func() error {
			_, ok, err := p.client.Head(ctx, p.repo.Digest(subject))
			if err != nil || ok {
				return err
			}
			kind, what := Signature, "its signature or attestation"
			if strings.HasSuffix(tag, m[1]) {
				kind, what = Referrer, "the list of what refers to it"
			}
			r.add(Finding{Kind: kind, Digest: subject.String(), Message: image.Short(subject) + " " + gone + ", and " + what + " is: " + tag})
			return nil
		})
	}
	if err := g.Wait(); err != nil || len(r.image.found) == 0 {
		return nil, err
	}
	return r, nil
}
