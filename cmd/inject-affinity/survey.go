package main

import (
	"context"
	"errors"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/kubeyaml"
	"github.com/polyarch/polyarch/internal/output"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/progress"
	"github.com/polyarch/polyarch/internal/readiness"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

// surveyFlags are those of --readiness.
type surveyFlags struct {
	verify      string
	html        string
	suggest     bool
	pullSecrets bool
}

// surveyMemory is where the garbage collector begins to save memory: a cluster's
// objects are hundreds of megabytes.
const surveyMemory = 40 << 20

// given returns a flag that was given, or "".
func (f surveyFlags) given() string {
	switch {
	case f.verify != "off":
		return "verify-binaries"
	case f.html != "":
		return "html"
	case f.suggest:
		return "suggest"
	case f.pullSecrets:
		return "pull-secrets"
	}
	return ""
}

// forReadiness looks at flags that say what is to change. Pipelines' forms have
// --write on by default: it is heeded by writing nothing.
func (c *config) forReadiness(env *command.Env) error {
	for _, not := range []struct {
		name  string
		given bool
	}{{"diff", c.diff}, {"check", c.check}, {"policy", c.policy}, {"policy-update", c.policyUpdate != ""}} {
		if not.given {
			return exit.Usagef("flag --%s: --readiness changes nothing", not.name)
		}
	}
	f := *c
	f.survey, f.write = surveyFlags{verify: "off"}, false
	claimed := env.Output.Claims(env.World())
	if claimed != "" { // standard output has the report, not manifests
		f.check = true
	}
	return f.valid(env)
}

// assess reports which workloads could run on the platforms of --readiness, and
// notes in r what was not looked at.
func (c *config) assess(ctx context.Context, env *command.Env, r *record) error {
	ctx, cancel := exit.WithTimeLimit(ctx, c.timeout)
	defer cancel()
	if err := c.forReadiness(env); err != nil {
		return err
	}
	restore := func() {}
	if env.Getenv("GOMEMLIMIT") == "" { // what is read is dropped again: there is much garbage and little else
		before := debug.SetMemoryLimit(surveyMemory)
		restore = func() { debug.SetMemoryLimit(before) }
	}
	defer func() { restore() }()
	in, err := c.injector(ctx, env.Log, env.Stdin)
	if err != nil {
		return err
	}
	in.survey, in.others = true, []string{"Node"}
	if c.survey.pullSecrets {
		in.others = append(in.others, "Secret")
	}
	s := &survey{config: c, env: env, in: in, nodes: readiness.Nodes{Platforms: c.cluster, Taints: in.taints}}
	if err := s.read(ctx, r); err != nil {
		return err
	}
	r.noteUnread()
	r.log(env.Log)
	if err := r.failed(c, env.Log); err != nil {
		return err
	}
	ws := s.collected.Workloads()
	s.collected = readiness.Collector{}
	images := readiness.Settle(ws, fullName)
	if c.survey.verify != string(verify.Off) {
		restore() // layers take more
	}
	l, err := s.look(ctx, images)
	if err != nil {
		return err
	}
	report := readiness.Judge(ws, images, c.readiness, &s.nodes)
	if c.survey.suggest && !c.offline {
		s.suggest(ctx, l, report)
	}
	report.Verified = l.verifies()
	for _, n := range r.Notes {
		report.Notes = append(report.Notes, n.File+": line "+strconv.Itoa(n.Line)+": "+n.Text)
	}
	return s.write(report, r)
}

// A survey is one run of --readiness.
type survey struct {
	*config
	env       *command.Env
	in        *injector
	nodes     readiness.Nodes
	collected readiness.Collector
	secrets   pullSecrets
	client    *registry.Client
}

// read takes the workloads, the nodes and the Secrets of all sources.
func (s *survey) read(ctx context.Context, r *record) error {
	var sources []source
	if s.kustomize != "" {
		one, err := built(ctx, s.env, s.kustomize)
		if err != nil {
			return err
		}
		defer one.in.Close()
		sources = append(sources, one)
	} else {
		var err error
		if sources, r.Left, err = s.sources(s.env.Args, s.env.Stdin); err != nil {
			return err
		}
	}
	for _, src := range sources {
		if err := s.file(ctx, src, r); err != nil {
			if ctx.Err() != nil {
				return err
			}
			r.problems = append(r.problems, err)
		}
	}
	return nil
}

func (s *survey) file(ctx context.Context, src source, rec *record) error {
	r, err := src.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	seen := fileSeen{source: src}
	err = s.in.stream(ctx, r, src, func(c kubeyaml.Chunk, f findings) error {
		seen.add(c, f)
		for _, one := range f.found {
			one.File = src.name
			if err := s.collected.Add(one); err != nil {
				f.problems = append(f.problems, exit.Failf("%s %s: %w", one.Kind, one.Name, err).OnLine(one.Line, 0))
			}
		}
		for _, o := range f.others {
			var err error
			switch o.Kind {
			case "Node":
				err = s.nodes.Add(o.JSON)
			case "Secret":
				err = s.secrets.add(o)
			}
			if err != nil {
				f.problems = append(f.problems, exit.Failf("%s %s: %w", o.Kind, o.Name, err).OnLine(o.Line, 0))
			}
		}
		rec.add(src, f)
		return nil
	})
	if err != nil {
		return exit.InFile(src.name, err)
	}
	rec.file(seen)
	return nil
}

// surveyed returns what a survey wants of a document.
func surveyed(d *kubeyaml.Document) findings {
	f := findings{object: d.Object, unread: d.Unread, others: d.Others}
	for _, w := range d.Workloads {
		f.flags = append(f.flags, w.Flags...)
		object, podSpec, err := w.JSON()
		if err != nil {
			f.problems = append(f.problems, err)
			continue
		}
		f.found = append(f.found, readiness.Found{
			APIVersion: w.APIVersion, Kind: w.Kind, Namespace: w.Namespace, Name: w.Name, Path: w.Path(), Line: w.Line,
			Architecture: w.Architecture, Spec: w.Spec, Object: object, PodSpec: podSpec,
		})
	}
	for _, l := range d.Left {
		f.left = append(f.left, note{Line: l.Line, Text: l.Object + ": " + l.Why + "; it is left alone"})
	}
	return f
}

// fullName writes an image as a registry knows it. What is no reference stays
// as it is.
func fullName(image string) string {
	ref, err := registry.ParseReference(image)
	if err != nil {
		return image
	}
	return ref.String()
}

// write puts the report where it is to go.
func (s *survey) write(report *readiness.Report, r *record) error {
	out := output.Report{
		Results: []output.Result{
			{Name: "changed", Text: "0"},
			{Name: "workloads", Text: strconv.Itoa(len(report.Workloads))},
			{Name: "files"},
		},
		JSON:  report,
		Text:  report.Text(progress.Terminal(s.env.Stdout, s.env.Getenv)),
		Files: map[string][]byte{},
	}
	if s.env.Output.Summarizes() {
		out.Summary = report.Markdown()
	}
	if s.reportFile != "" {
		out.Files[s.reportFile] = r.marshal()
	}
	if s.survey.html != "" {
		if _, both := out.Files[s.survey.html]; both {
			return exit.Usagef("flags --html and --report-file name the same file")
		}
		page, err := report.HTML(time.Now())
		if err != nil {
			return exit.Failf("writing %s: %w", s.survey.html, err)
		}
		out.Files[s.survey.html] = page
	}
	return s.env.Write(out)
}

// ranOut reports whether the time of a run is over, rather than that somebody
// stopped it.
func ranOut(ctx context.Context) bool {
	return ctx.Err() != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded)
}

// wanted returns the platforms of a list that an image has to be looked into
// for.
func wanted(have platform.List, asked platform.List) (out platform.List) {
	for _, p := range asked {
		for _, q := range have {
			if p.Runs(q) {
				out = append(out, p)
				break
			}
		}
	}
	return out
}
