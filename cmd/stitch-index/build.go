package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/polyarch/polyarch/internal/builder"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/layout"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/process"
	"github.com/polyarch/polyarch/internal/registry"
)

// buildPlatforms builds all platforms and returns what to stitch; remove is called when
// that is done. With --dry-run it says what it would run.
func (c *config) buildPlatforms(ctx context.Context, env *command.Env) (sources []index.Source, remove func(), err error) {
	repo, tags, err := c.target()
	if err != nil {
		return nil, nil, err
	}
	if _, err := c.destination(); err != nil {
		return nil, nil, err
	}
	_, planned := exit.WithTimeLimit(ctx, c.timeout) // of files of the folder that is built
	defer planned()
	request, err := c.build.request(env, repo, tags[0], c.insecure)
	if err != nil {
		return nil, nil, err
	}
	tool, err := c.build.choose(env, request)
	if err != nil {
		return nil, nil, err
	}
	request.Layout = c.output != ""
	if err := c.describe(env, tool, &request); err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp(tool.Scratch, "stitch-index-")
	if err != nil && tool.Scratch != "" {
		return nil, nil, exit.Failf("building with %s: %w", tool.Name, err).Hint("%s", tool.Remedy)
	}
	if err != nil {
		return nil, nil, exit.Failf("making a folder for the builds: %w", err)
	}
	planned()
	var guard *process.Guard
	if !c.dryRun {
		guard = process.NewGuard(dir)
	}
	remove = func() { os.RemoveAll(dir); guard.Close() }
	if sources, err = c.buildIn(ctx, env, tool, request, dir, guard); err != nil {
		remove()
		return nil, nil, err
	}
	return sources, remove, nil
}

// buildIn is buildPlatforms in a folder for what the builds leave.
func (c *config) buildIn(ctx context.Context, env *command.Env, tool builder.Builder, request builder.Request, dir string, guard *process.Guard) ([]index.Source, error) {
	legs, err := tool.Plan(request, dir)
	if err != nil {
		return nil, err
	}
	limited, cancel := exit.WithTimeLimit(ctx, c.timeout)
	err = c.checkBases(limited, env, tool, request)
	cancel()
	if err != nil {
		return nil, err
	}
	if c.dryRun {
		for _, leg := range legs {
			for _, s := range leg.Steps {
				env.Log.Infof("%s: would run: %s", leg.Name, s.CommandLine())
			}
		}
		return nil, nil
	}
	results, err := c.runBuilds(ctx, env, tool, request, legs, guard)
	if err != nil {
		return nil, err
	}
	ctx, cancel = exit.WithTimeLimit(ctx, c.timeout)
	defer cancel()
	client := c.client(env, env.Log.Infof)
	var sources []index.Source
	c.build.took = map[string]time.Duration{}
	for _, r := range results {
		if r.Err != nil {
			sources = append(sources, index.Source{Platform: &r.Leg.Platforms[0], Optional: true, Why: r.Err.Error()})
			continue
		}
		if folder := r.Pushed.Layout; folder != "" && c.output != "" {
			// from layout to layout: no registry has a part in it
			s := source(layout.Name{Path: folder}.String(), r)
			sources = append(sources, s)
			c.build.took[s.Ref] = r.Took
			continue
		}
		s, err := built(ctx, client, tool, r)
		if err != nil && c.build.mayFail(r.Leg) && exit.CodeOf(err) == exit.Failed && ctx.Err() == nil {
			s, err = index.Source{Platform: &r.Leg.Platforms[0], Optional: true, Why: err.Error()}, nil
		}
		if err != nil {
			return nil, err
		}
		sources = append(sources, s)
		c.build.took[s.Ref] = r.Took
	}
	return sources, nil
}

// runBuilds runs the builds.
func (c *config) runBuilds(ctx context.Context, env *command.Env, tool builder.Builder, request builder.Request, legs []builder.Leg, guard *process.Guard) ([]builder.Result, error) {
	jobs := c.build.jobs
	if why := tool.Alone(request.Host); why != "" && len(legs) > 1 && jobs != 1 {
		env.Log.Infof("one platform at a time: %s", why)
		jobs = 1
	}
	shown := newConsole(env, legs)
	defer shown.close()
	runner := builder.Runner{
		Builder:   tool,
		Host:      request.Host,
		Jobs:      jobs,
		KeepGoing: c.build.keepGoing,
		Optional:  c.build.mayFail,
		Environ:   tool.Environ(env.Environ(), request),
		Watcher:   shown,
		Guard:     guard,
	}
	return runner.Run(ctx, legs)
}

// built returns what a build has pushed, as the registry says it, which is the
// one source of truth: a tool that reports another digest was overtaken.
func built(ctx context.Context, client *registry.Client, tool builder.Builder, r builder.Result) (index.Source, error) {
	ref, err := registry.ParseReference(r.Leg.Ref)
	if err != nil {
		return index.Source{}, err
	}
	if folder := r.Pushed.Layout; folder != "" {
		ref.Digest, err = index.PushLayout(ctx, client, folder, ref)
		if err != nil {
			return index.Source{}, err
		}
	} else {
		m, err := client.Manifest(ctx, ref)
		if registry.NotFound(err) {
			e := exit.Failf("building %s: the build is done, and there is no %s", r.Leg.Name, ref)
			if tool.Program == "" {
				e.Hint("the build has to push the image that $IMAGE names, or leave it as an OCI layout in $%s", builder.LayoutVariable)
			}
			return index.Source{}, e
		}
		if err != nil {
			return index.Source{}, err
		}
		ref.Digest = m.Digest
	}
	if said := r.Pushed.Digest; said != "" && said != ref.Digest.String() {
		return index.Source{}, exit.Failf("building %s: %s was pushed as %s, and now is %s", r.Leg.Name, r.Leg.Ref, said, ref.Digest).
			Hint("does another run push to the same tag? give each its own --tag")
	}
	return source(ref.String(), r), nil
}

func source(ref string, r builder.Result) index.Source {
	s := index.Source{Ref: ref}
	if len(r.Leg.Platforms) == 1 {
		s.Platform = &r.Leg.Platforms[0]
	}
	return s
}

// noStitch checks what was built as if it were to be stitched, and reports it
// for a later run to take.
func (c *config) noStitch(ctx context.Context, env *command.Env, sources []index.Source) error {
	to, err := c.destination()
	if err != nil {
		return err
	}
	ctx, cancel := exit.WithTimeLimit(ctx, c.timeout)
	defer cancel()
	if to.layout != "" {
		to.tags = nil // the later run names them
	}
	job := c.job(env, to, index.Options{}, sources)
	job.DryRun = to.layout == ""
	job.Append = false // the later run's to do
	r, err := index.Stitch(ctx, job)
	var nothing *index.Nothing
	if errors.As(err, &nothing) { // the later run may have other images
		r, err = &index.Result{Gaps: nothing.Gaps}, nil
		for _, g := range nothing.Gaps {
			r.Missing = r.Missing.Union(platform.List{g.Platform})
		}
	}
	if err != nil {
		return err
	}
	c.warnOfGaps(env, to, r, "the run that stitches is told so")
	sources = withoutGaps(sources, r)
	if to.layout != "" && r.Index != nil {
		sources = handOver(to.layout, sources, r)
	}
	for _, g := range r.Gaps {
		sources = append(sources, index.Source{Platform: &g.Platform, Optional: true})
	}
	return env.Write(c.reportBuilt(to, sources, r))
}

// handOver names what was built by the layout that it was written to, in place
// of the folders of the builds, which go.
func handOver(folder string, sources []index.Source, r *index.Result) []index.Source {
	one := index.Source{Ref: layout.Name{Path: folder}.String()}
	if platforms := r.Platforms(); len(platforms) == 1 && len(sources) == 1 {
		one.Platform = &platforms[0]
	}
	return []index.Source{one}
}
