package main

import (
	"context"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/text"
	"github.com/polyarch/polyarch/internal/verify"
)

// stitch makes an index of sources that are pushed already, and writes the
// results: all that comes after the builds.
func (c *config) stitch(ctx context.Context, env *command.Env, sources []index.Source) error {
	to, err := c.destination()
	if err != nil {
		return err
	}
	options, notes, err := c.options(ctx)
	if err != nil {
		return err
	}
	for _, n := range notes {
		env.Log.Infof("note: %s", n)
	}
	attachments, err := c.attachments()
	if err != nil {
		return err
	}
	ctx, cancel := exit.WithTimeLimit(ctx, c.timeout)
	defer cancel()
	job := c.job(env, to, options, sources)
	job.Attach = attachments
	job.Meter = &index.Meter{}
	w := watch(env, job.Meter)
	job.Client = c.client(env, w.logf)
	job.Logf, job.Debugf = w.now, env.Log.Debugf
	job.Gate = c.gate(env, to, w)
	r, err := index.Stitch(ctx, job)
	w.close()
	if err != nil {
		return err
	}
	c.warnOfGaps(env, to, r, "the index goes out without it")
	for _, n := range r.Notes {
		env.Log.Infof("note: %s", n)
	}
	if n := c.untaggedNote(to, r); n != "" {
		env.Log.Infof("note: %s", n)
	}
	for _, i := range r.Images {
		if i.Verification != nil {
			prefix := ""
			if !i.Verification.Proved() {
				prefix = "not verified: "
			}
			for _, n := range i.Verification.Notes {
				env.Log.Infof("note: %s: %s%s", i.Source.Ref, prefix, n)
			}
			env.Log.Debugf("verifying %s: %s of layers read", i.Source.Ref, text.Bytes(i.Verification.Read))
		}
	}
	return env.Write(c.report(to, sourceList(withoutGaps(sources, r)), r))
}

func (c *config) job(env *command.Env, to destination, options index.Options, sources []index.Source) index.Job {
	return index.Job{
		Client:   c.client(env, env.Log.Infof),
		Sources:  sources,
		Target:   to.repo,
		Layout:   to.layout,
		Tags:     to.tags,
		Expect:   c.build.platforms,
		Optional: c.optional(sources),
		Verify:   verify.Mode(c.verify),
		DryRun:   c.dryRun,

		Microarchitecture: index.Microarchitecture(c.level),
		Options:           options,
		ChildTags:         c.childTags == "suffix",
		Referrers:         c.referrers,
		Append:            c.append,
		KeepPlatforms:     c.keep,
		Hold:              env.Hold,
	}
}

func (c *config) client(env *command.Env, logf func(string, ...any)) *registry.Client {
	return registry.New(registry.Options{
		Keychain:  registry.Keychain(env.Getenv),
		Insecure:  c.insecure,
		UserAgent: "stitch-index",
		Wait:      c.wait,
		Logf:      logf,
	})
}
