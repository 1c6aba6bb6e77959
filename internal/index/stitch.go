package index

import (
	"context"
	"fmt"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

// A Job is what to stitch and where to put it.
type Job struct {
	Client  *registry.Client
	Sources []Source
	Target  registry.Repository
	Layout  string // if not empty, the folder of an OCI layout that the index goes to instead
	Tags    []string
	Expect  platform.List // platforms that the index must have; others may be there too
	// Optional are platforms that the index may go out without. Sources that are
	// declared to be for one of them are Optional.
	Optional platform.List
	Verify   verify.Mode
	// Microarchitecture says what to do with an image that needs a newer
	// processor than it says.
	Microarchitecture Microarchitecture
	DryRun            bool // read and check everything, write nothing
	Options
	ChildTags bool // each child gets the first tag with its platform as a suffix
	Referrers bool // copy signatures and SBOMs with images that come from another repository
	Append    bool // keep what the first tag names now, except the platforms of the sources
	// KeepPlatforms refuses an index that lacks a platform which a tag has now.
	KeepPlatforms bool

	// Attach is what refers to the index or its images when they are published.
	Attach []Attachment
	// Gate is called when the index stands under its digest, complete, and before
	// any tag moves; after an error none does. It may be nil.
	Gate func(context.Context, *Result) error
	// Hold is called before the first tag moves; the tags are moved, or moved
	// back, before the function it returns is called. It may be nil.
	Hold func() (release func())
	// Logf says what the user should know at once, Debugf what only a curious
	// one wants to know. They may be nil.
	Logf, Debugf func(format string, args ...any)
	// Meter says how far the work is while it goes on. It may be nil.
	Meter *Meter
}

// A Result is the index that was made.
type Result struct {
	Index  *registry.Manifest
	Images []*Image // in the order in which they stand in the index
	// Referrers are those of the index that this run attached to it.
	Referrers []Referrer
	Notes     []string
	// Gaps are the platforms that may be missing for which this run has no image,
	// and Missing those that the index lacks, by this run or an older one.
	Gaps    []Gap
	Missing platform.List
	// Untagged is how many of the images that this run put into the index have no
	// tag of their own: only the index names them.
	Untagged int
}

// Platforms returns the platforms of the index.
func (r *Result) Platforms() platform.List {
	var ps []platform.Platform
	for _, i := range r.Images {
		ps = append(ps, i.Platform)
	}
	return platform.NewList(ps...)
}

// Stitch reads and checks the sources, and puts an index of them where it
// belongs. After an error every tag is what it was before, or the error says
// which is not.
func Stitch(ctx context.Context, j Job) (_ *Result, err error) {
	if j.Hold == nil {
		j.Hold = func() func() { return func() {} }
	}
	for _, f := range []*func(string, ...any){&j.Logf, &j.Debugf} {
		if *f == nil {
			*f = func(string, ...any) {}
		}
	}
	gaps := &gaps{}
	if len(j.Sources) == 0 {
		_, err := check(ctx, nil, "", gaps)
		return nil, err
	}
	if err := j.optional(gaps); err != nil {
		return nil, err
	}
	to, err := j.announce(ctx)
	if err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &transfer{to: to, run: run, blobs: map[v1.Hash]*blob{}}
	defer func() {
		if err != nil {
			t.abandon(ctx)
		}
	}()
	notes := &notes{}
	r := &reader{client: j.Client, verifier: verify.New(j.Verify), budget: &image.Budget{}, transfer: t, meter: j.Meter, note: notes.add}

	readings, before, old, err := r.read(ctx, j)
	if err != nil {
		return nil, err
	}
	children, err := check(ctx, readings, j.Microarchitecture, gaps)
	if err != nil {
		return nil, err
	}
	var result *Result
	var files []*evidence
	settle := func(note func(string, ...any)) (err error) {
		if err := expected(children, j.required()); err != nil {
			return err
		}
		if err := kept(before, children, j.Append); err != nil {
			return err
		}
		result, files, err = j.result(children, old, gaps, note)
		return err
	}
	children = old.merge(children)
	if err := settle(notes.add); err != nil {
		return nil, err
	}
	j.Meter.showChildren(ordered(children))
	if err := t.send(ctx, children, func(ctx context.Context, _ []*child) ([]*child, error) {
		if err := rest(ctx, r.verifier, children); err != nil {
			return nil, err
		}
		left, err := fit(children, gaps)
		if err != nil {
			return nil, err
		}
		changed, err := j.Microarchitecture.levels(left)
		if err != nil {
			return nil, err
		}
		if changed || len(left) < len(children) { // what they are is known only now that their layers have passed by
			if len(left) == 0 || !slices.ContainsFunc(left, func(c *child) bool { return !c.kept }) {
				return nil, gaps.nothing()
			}
			if children = old.merge(left); changed {
				err = distinct(children)
			}
			if err == nil {
				err = settle(func(string, ...any) {})
			}
		}
		return children, err
	}); err != nil {
		return nil, err
	}
	if j.Referrers {
		if err := t.referrers(ctx, children, notes.add); err != nil {
			return nil, err
		}
	}
	standing, err := j.prove(ctx, to, result, files)
	if err != nil {
		return nil, err
	}
	if err := to.publish(ctx, result.Index, j.childTags(children), standing); err != nil {
		return nil, err
	}
	for _, c := range children {
		if c.row != nil {
			c.row.set(c.Platform.String(), "done")
		}
	}
	if len(result.Gaps) > 0 {
		t.abandon(ctx) // what was begun for images that are left out
	}
	result.Notes = notes.list
	return result, nil
}

// result computes the index, and what refers to it and its images.
func (j Job) result(children []*child, old *older, g *gaps, note func(string, ...any)) (*Result, []*evidence, error) {
	gaps := g.close(children, old, j.Optional)
	j.Missing = missing(children, old, gaps)
	index, err := compute(children, old, j.Options)
	if err != nil {
		return nil, nil, err
	}
	if len(j.Missing) > 0 && index.MediaType == types.DockerManifestList {
		note("the index does not say that it lacks %s: a Docker manifest list has no annotations", j.Missing)
	}
	r := &Result{Index: index, Gaps: gaps, Missing: j.Missing, Untagged: j.untagged(children)}
	before := map[*Image]bool{}
	for _, c := range ordered(children) {
		r.Images = append(r.Images, &c.Image)
		before[&c.Image] = c.kept
	}
	of, ofIndex, err := attached(j.Attach, r.Images, before, gaps, note)
	if err != nil {
		return nil, nil, err
	}
	all, err := evidences(r, of, ofIndex)
	return r, all, err
}

// prove does what has to be done before the index gets its tags: what fails
// here keeps it from them. It reports whether the index stands by then.
func (j Job) prove(ctx context.Context, to target, r *Result, all []*evidence) (standing bool, err error) {
	if j.Gate == nil && len(all) == 0 || j.DryRun {
		return false, nil
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return to.putManifest(gctx, r.Index) })
	g.Go(func() error { return put(gctx, to, all) })
	if err := g.Wait(); err != nil {
		return false, err
	}
	if j.Gate != nil {
		if err := j.Gate(ctx, r); err != nil {
			return true, err
		}
	}
	return true, confirm(ctx, to, all)
}

// read reads the sources and, beside them, what the tags name now.
func (r *reader) read(ctx context.Context, j Job) ([]reading, []*standing, *older, error) {
	var readings []reading
	var before []*standing
	old := &older{}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		readings, err = r.all(ctx, j.Sources)
		return err
	})
	g.Go(func() error { return r.transfer.bring(ctx, j.Attach) })
	if j.Append || j.KeepPlatforms {
		g.Go(func() (err error) {
			if before, err = r.standing(ctx, j); err == nil && j.Append {
				old, err = r.older(ctx, j, before[0])
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, nil, err
	}
	return readings, before, old, nil
}

// required returns the platforms of Expect that must not be missing.
func (j Job) required() platform.List {
	return slices.DeleteFunc(slices.Clone(j.Expect), j.Optional.Covers)
}

// announce settles where the index goes, and says what will be done where, so
// that one token for each registry serves it all.
func (j Job) announce(ctx context.Context) (target, error) {
	wanted := map[registry.Repository][]string{}
	hosts := map[string]bool{}
	for _, src := range j.Sources {
		repo, ok, err := repository(src.Ref)
		if err != nil {
			return nil, err
		}
		if ok {
			wanted[repo] = []string{"pull"}
			hosts[repo.Host] = true
		}
	}
	var to target = nowhere{}
	switch {
	case j.DryRun:
	case j.Layout != "":
		l, err := layout.Create(j.Layout)
		if err != nil {
			return nil, err
		}
		to = &writing{l, j.Tags}
	default:
		wanted[j.Target] = []string{"pull", "push"}
		to = &pushing{j.Client, j.Target, j.Tags, j.Hold, j.Logf, j.Debugf}
	}
	for repo, actions := range wanted {
		if err := j.Client.Expect(ctx, repo, actions...); err != nil {
			return nil, err
		}
	}
	if _, pushed := wanted[j.Target]; pushed && !hosts[j.Target.Host] {
		go j.Client.Prepare(ctx, j.Target) // while the sources are read
	}
	return to, nil
}

// notes are things that the user should know when the work is done.
type notes struct {
	mu   sync.Mutex
	list []string
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, fmt.Sprintf(format, args...))
}
