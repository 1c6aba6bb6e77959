package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/lookup"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/readiness"
	"github.com/polyarch/polyarch/internal/registry"
)

const (
	// suggestions is for how many of the first images of each platform other
	// tags are looked at.
	suggestions = 10
	// maxTags is how many tags of a repository are looked through.
	maxTags = 10_000
)

// suggest looks for newer tags of the images that block first. Each takes the
// list of its repository's tags and at most three look-ups.
func (s *survey) suggest(ctx context.Context, l *looker, report *readiness.Report) {
	type question struct {
		image string
		asks  []*readiness.Blocker
		of    []platform.Platform
	}
	var all []*question
	byImage := map[string]*question{}
	for n := range report.Platforms {
		part := &report.Platforms[n]
		for i := range part.Blocking[:min(suggestions, len(part.Blocking))] {
			b := &part.Blocking[i]
			q := byImage[b.Image]
			if q == nil {
				q = &question{image: b.Image}
				byImage[b.Image] = q
				all = append(all, q)
			}
			q.asks, q.of = append(q.asks, b), append(q.of, part.Platform)
		}
	}
	var wait sync.WaitGroup
	for _, q := range all {
		wait.Go(func() {
			if l.all.Acquire(ctx, 1) != nil {
				return
			}
			defer l.all.Release(1)
			for n, tag := range l.newer(ctx, q.image, q.of) {
				q.asks[n].Suggested = tag
			}
		})
	}
	wait.Wait()
}

// newer returns for each platform the tag to use instead of an image's, or why
// there is none.
func (l *looker) newer(ctx context.Context, name string, of []platform.Platform) []*readiness.Tag {
	out := make([]*readiness.Tag, len(of))
	none := func(format string, args ...any) []*readiness.Tag {
		for n := range out {
			if out[n] == nil {
				out[n] = &readiness.Tag{Why: fmt.Sprintf(format, args...)}
			}
		}
		return out
	}
	ref, err := registry.ParseReference(name)
	if err != nil || ref.Tag == "" {
		return none("it has no tag")
	}
	if _, isVersion := readiness.Newer(ref.Tag, nil); !isVersion {
		return none("its tag is not a version")
	}
	tags, more, err := l.client.Tags(ctx, ref.Repository, maxTags)
	if err != nil {
		l.env.Log.Debugf("%v", err)
		return none("its tags cannot be listed")
	}
	looked := 0
	candidates, _ := readiness.Newer(ref.Tag, tags)
	for _, tag := range candidates {
		found, err := lookup.Read(ctx, l.client, ref.Repository.Tag(tag))
		if err != nil {
			l.env.Log.Debugf("%v", err)
			if exit.CodeOf(err) == exit.Denied {
				break
			}
			continue
		}
		looked++
		for n, p := range of {
			if out[n] == nil && len(wanted(found.Platforms, platform.List{p})) > 0 && !l.lies(ctx, found, ref.Repository, p) {
				out[n] = &readiness.Tag{Tag: tag, Platforms: found.Platforms}
			}
		}
	}
	switch {
	case len(candidates) == 0 && more:
		return none("no newer tag among the first %d", maxTags)
	case len(candidates) == 0:
		return none("no newer tag")
	case looked == 0:
		return none("its newer tags cannot be read")
	}
	return none("no newer tag has it")
}

// lies reports whether an image's program is known to be for another platform,
// where that was asked for.
func (l *looker) lies(ctx context.Context, i *lookup.Image, repo registry.Repository, p platform.Platform) bool {
	return l.verifies() && len(l.program(ctx, i, repo, p).Wrong) > 0
}
