package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/semaphore"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/image"
	"github.com/polyarch/polyarch/internal/lookup"
	"github.com/polyarch/polyarch/internal/platform"
	programs "github.com/polyarch/polyarch/internal/program"
	"github.com/polyarch/polyarch/internal/progress"
	"github.com/polyarch/polyarch/internal/readiness"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/text"
	"github.com/polyarch/polyarch/internal/verify"
)

const (
	// surveyHost is how many images are asked for at one registry at a time, and
	// surveyAll at all of them: each may have some MB of manifests.
	surveyHost, surveyAll = 44, 48
	// surveyPrograms is how many images are looked into at a time, which takes
	// processor time and memory.
	surveyPrograms = 3
)

// A looker asks registries for the images of a survey.
type looker struct {
	*survey
	all, programs *semaphore.Weighted
	hosts         map[string]*hostState
	done, total   atomic.Int64
	started       time.Time
}

// A hostState is what is known of a registry.
type hostState struct {
	slots    *semaphore.Weighted
	answered atomic.Bool
	down     atomic.Pointer[readiness.Unknown] // it could not be reached, and has never answered
}

// look looks up all images, each once, all registries in parallel. What cannot
// be looked up is noted in the image; the error is one that ends the run.
func (s *survey) look(ctx context.Context, images map[string]*readiness.Image) (*looker, error) {
	l := &looker{survey: s, all: semaphore.NewWeighted(surveyAll), programs: semaphore.NewWeighted(surveyPrograms), hosts: map[string]*hostState{}, started: time.Now()}
	keys := slices.Sorted(maps.Keys(images))
	s.client = registry.New(registry.Options{
		Keychain:  s.secrets.keychain(images, registry.Keychain(s.env.Getenv)),
		Insecure:  s.insecure,
		UserAgent: "inject-affinity",
		Many:      true,
		Logf:      s.env.Log.Debugf,
	})
	var ask []string
	for _, k := range keys {
		i := images[k]
		b, _ := s.in.images.find(i.Ref)
		ref, err := s.in.reference(i.Ref, b)
		switch {
		case b != nil && b.platforms != nil:
			i.Platforms = b.platforms
		case err != nil:
			i.Unknown = &readiness.Unknown{Why: err.Error(), Hints: exit.HintsOf(err)}
		default:
			if l.hosts[ref.Host] == nil {
				l.hosts[ref.Host] = &hostState{slots: semaphore.NewWeighted(surveyHost)}
			}
			ask = append(ask, k)
		}
	}
	if len(ask) == 0 {
		return l, nil
	}
	l.total.Store(int64(len(ask)))
	stop := l.show()
	defer stop()
	l.expect(ctx, images, ask)
	var wait sync.WaitGroup
	for _, k := range ask {
		wait.Go(func() {
			l.image(ctx, images[k])
			l.done.Add(1)
		})
	}
	wait.Wait()
	if ctx.Err() != nil && !ranOut(ctx) {
		return nil, context.Cause(ctx)
	}
	return l, nil
}

// verifies reports whether images are looked into.
func (l *looker) verifies() bool { return l.config.survey.verify != string(verify.Off) }

// show says on a terminal how far it is, and elsewhere what is done.
func (l *looker) show() (stop func()) {
	log := l.env.Log
	where := text.Count(len(l.hosts), "registry")
	if len(l.hosts) != 1 {
		where = fmt.Sprintf("%d registries", len(l.hosts))
	}
	width := progress.Terminal(l.env.Stderr, l.env.Getenv)
	if width == 0 || log.Quiet() || log.Verbose() {
		log.Infof("looking up %s at %s", text.Count(int(l.total.Load()), "image"), where)
		return func() {}
	}
	b := progress.Start(l.env.Stderr, width, func() []string {
		done, total := l.done.Load(), l.total.Load()
		line := fmt.Sprintf("looked up %d of %s at %s", done, text.Count(int(total), "image"), where)
		if done < total {
			bar := int(20 * done / total)
			line = "[" + strings.Repeat("#", bar) + strings.Repeat(".", 20-bar) + "] " + line
			if took := time.Since(l.started); done > 0 && took > 3*time.Second {
				line += fmt.Sprintf(", about %s left", (time.Duration(float64(took) * float64(total-done) / float64(done))).Round(time.Second))
			}
		}
		return []string{line}
	})
	return b.Stop
}

// expect tells the client all repositories, so that few tokens serve them.
func (l *looker) expect(ctx context.Context, images map[string]*readiness.Image, ask []string) {
	seen := map[registry.Repository]bool{}
	var wait sync.WaitGroup
	slots := semaphore.NewWeighted(8) // of programs that know credentials
	for _, k := range ask {
		ref, err := registry.ParseReference(images[k].Ref)
		if err != nil || seen[ref.Repository] || slots.Acquire(ctx, 1) != nil {
			continue
		}
		seen[ref.Repository] = true
		wait.Go(func() {
			defer slots.Release(1)
			l.client.Expect(ctx, ref.Repository, "pull") // an error shows again when it is asked
		})
	}
	wait.Wait()
}

// image looks one image up.
func (l *looker) image(ctx context.Context, i *readiness.Image) {
	b, _ := l.in.images.find(i.Ref)
	ref, err := l.in.reference(i.Ref, b)
	if err != nil {
		i.Unknown = l.unknown(ctx, ref, err)
		return
	}
	h := l.hosts[ref.Host]
	found, err := l.ask(ctx, h, ref, i)
	if err != nil {
		i.Unknown = l.unknown(ctx, ref, err)
		return
	}
	i.Platforms = found.Platforms
	if !l.verifies() {
		return
	}
	for _, p := range wanted(i.Platforms, l.readiness) {
		if i.Programs == nil {
			i.Programs = map[platform.Platform]readiness.Program{}
		}
		i.Programs[p] = l.program(ctx, found, ref.Repository, p)
	}
}

// ask waits for a place and asks.
func (l *looker) ask(ctx context.Context, h *hostState, ref registry.Reference, i *readiness.Image) (*lookup.Image, error) {
	if err := h.slots.Acquire(ctx, 1); err != nil {
		return nil, context.Cause(ctx)
	}
	defer h.slots.Release(1)
	if err := l.all.Acquire(ctx, 1); err != nil {
		return nil, context.Cause(ctx)
	}
	defer l.all.Release(1)
	if down := h.down.Load(); down != nil && !h.answered.Load() {
		return nil, &hostDown{down}
	}
	found, err := l.named(ctx, ref, i.Digest)
	if err == nil || exit.CodeOf(err) != exit.Unreachable {
		h.answered.Store(true)
	} else if ctx.Err() == nil && !h.answered.Load() {
		u := l.unknown(ctx, ref, err)
		h.down.CompareAndSwap(nil, u)
	}
	return found, err
}

// A hostDown stands for the error that another image of the host has met.
type hostDown struct{ u *readiness.Unknown }

func (h *hostDown) Error() string { return h.u.Why }

// named reads what runs, by its digest. What is not there any more is read by
// its tag; so is what is a single image, since some container runtimes name
// the digest of the image that they chose out of an index.
func (l *looker) named(ctx context.Context, ref registry.Reference, digest string) (*lookup.Image, error) {
	d, err := v1.NewHash(digest)
	if digest == "" || err != nil {
		return lookup.Read(ctx, l.client, ref)
	}
	byDigest := ref
	byDigest.Digest = d
	found, err := lookup.Read(ctx, l.client, byDigest)
	if err == nil && !found.Single || err != nil && !registry.NotFound(err) {
		return found, err
	}
	byTag, tagErr := lookup.Read(ctx, l.client, ref)
	switch {
	case err != nil:
		return byTag, tagErr
	case tagErr == nil && !byTag.Single:
		return byTag, nil
	}
	return found, nil
}

// program looks into the image for a platform. What counts is what the index
// says it is for, since that is what a node chooses it by.
func (l *looker) program(ctx context.Context, i *lookup.Image, repo registry.Repository, p platform.Platform) (out readiness.Program) {
	if err := l.programs.Acquire(ctx, 1); err != nil {
		return readiness.Program{Notes: []string{"there was no time left"}}
	}
	defer l.programs.Release(1)
	m, listed, err := i.For(ctx, p)
	if err == nil && m == nil {
		return out
	}
	var v *verify.Verification
	if err == nil {
		v, err = verify.New(verify.Mode(l.config.survey.verify)).Inspect(ctx, verify.Subject{
			Ref:    i.Reader.Ref,
			Layers: m.Layers,
			Config: func(ctx context.Context) (*image.Config, error) {
				c, err := i.Reader.Config(ctx, m)
				if err != nil {
					return nil, err
				}
				as := *c
				as.OS, as.Architecture, as.Variant = listed.OS, listed.Arch, listed.Variant
				return &as, nil
			},
			Open: func(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) { return l.client.Open(ctx, repo, d) },
			Near: l.client.Near(repo),
		})
	}
	if err != nil {
		return readiness.Program{Notes: []string{err.Error()}}
	}
	out.Wrong = v.Wrong
	if v.Verdict == programs.NotVerified {
		out.Notes = v.Notes
	}
	return out
}

// unknown says why an image could not be looked up.
func (l *looker) unknown(ctx context.Context, ref registry.Reference, err error) *readiness.Unknown {
	if h, ok := err.(*hostDown); ok {
		return h.u
	}
	u := &readiness.Unknown{Why: err.Error(), Hints: exit.HintsOf(err), Host: ref.Host, Denied: exit.CodeOf(err) == exit.Denied}
	if status := (*registry.StatusError)(nil); errors.As(err, &status) && status.Status == http.StatusTooManyRequests {
		u.Hints = append(u.Hints, "the registry's limit for this credential is used up: log in with another one, or come back later")
	}
	if ranOut(ctx) {
		u.Why, u.Hints = "there was no time left", []string{"allow more time with --timeout"}
	}
	for _, prefix := range []string{"reading " + ref.String() + ": ", "reading " + ref.Repository.String() + ": "} {
		u.Why = strings.TrimPrefix(u.Why, prefix)
	}
	return u
}
