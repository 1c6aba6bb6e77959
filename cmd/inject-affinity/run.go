package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/polyarch/polyarch/internal/atomicfile"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
	"github.com/polyarch/polyarch/internal/platform"
)

// A config is the command line.
type config struct {
	artifacts flagset.Lines
	images    flagset.Lines
	offline   bool
	onUnknown string
	insecure  flagset.Words
	timeout   time.Duration

	terms   string
	labels  string
	cluster platform.List
	taints  flagset.Words

	prefer flagset.Words

	write, recursive, diff, check bool
	kustomize                     string
	exclude                       flagset.Lines
	strict                        bool
	podSpecs                      flagset.Words
	crds                          string
	trustFunction                 bool
	reportFile                    string

	policy       bool
	policyUpdate string

	readiness platform.List
	survey    surveyFlags
}

// nfd is Node Feature Discovery.
const nfd = "nfd"

func (c *config) flags(fs *flagset.Set) {
	fs.Group("Images")
	fs.Var(&c.artifacts, "artifacts", "read the images that were built, and their platforms, from `FILE`, as written by stitch-index --artifacts-file or Skaffold; can be repeated")
	fs.Var(&c.images, "image", "an image that was built: the name that manifests use, its reference and its platforms, `NAME=[REF][;PLATFORMS]`; without a reference the image is not replaced, without platforms its registry is asked; can be repeated")
	fs.Bool(&c.offline, "offline", false, "do not ask registries for the platforms of other images")
	fs.Choice(&c.onUnknown, "on-unknown", []string{"fail", "skip"}, "what to do if the platforms of an image cannot be found; skip prints a warning and uses only the Pod's other images")
	fs.Var(&c.insecure, "insecure-registry", "use plain HTTP for these `HOSTS`; loopback addresses need no flag; can be repeated")
	fs.Timeout(&c.timeout, "timeout", 10*time.Minute, "give up after this `TIME`")

	fs.Group("Nodes")
	fs.Choice(&c.terms, "terms", []string{"per-os", "per-platform"}, "write one node selector term per operating system, or one per platform as Skaffold does")
	fs.Choice(&c.labels, "feature-labels", []string{"none", nfd}, "the labels that tell which processors nodes have; with nfd, those of Node Feature Discovery v0.19 and later, an image for linux/amd64/v3 runs only on nodes with x86-64-v3")
	fs.Var(&c.cluster, "cluster-platforms", "the `PLATFORMS` of the cluster's nodes, as detect-arch prints them; a workload that none of them can run is an error")
	fs.Var(&c.taints, "taints", "add missing tolerations for these `TAINTS`, KEY=VALUE:EFFECT, as printed in detect-arch's result taints")
	fs.Var(&c.prefer, "prefer", "prefer nodes of a platform among those that can run a Pod, `PLATFORM=WEIGHT`, for example linux/arm64=80; weights are 1 to 100; can be repeated")

	fs.Group("Manifests")
	fs.Bool(&c.write, "write", false, "write files in place instead of printing them, and print the names of those that changed")
	fs.Short("w", "write")
	fs.Bool(&c.recursive, "recursive", false, "include .yaml, .yml and .json files in subfolders")
	fs.Short("r", "recursive")
	fs.String(&c.kustomize, "kustomize", "", "read what kustomize, or kubectl kustomize, builds from the folder `DIR` instead of files")
	fs.Short("k", "kustomize")
	fs.Var(&c.exclude, "exclude", "skip the files and folders of a folder whose name or path matches `GLOB`, for example vendor or charts/**/templates; can be repeated")
	fs.Bool(&c.strict, "strict", false, "fail if anything is left alone: unrendered templates, kustomize patches, files without Kubernetes objects")
	fs.Bool(&c.diff, "diff", false, "print the changes as a unified diff and write nothing")
	fs.Bool(&c.check, "check", false, "print nothing and fail if anything would change")
	fs.Var(&c.podSpecs, "pod-spec", "another kind that holds PodSpecs, `GROUP/KIND=PATH`, for example example.com/Worker=spec.pools[*].template.spec; an error if none is found; can be repeated")
	fs.String(&c.crds, "crds", "", "learn which kinds hold PodSpecs from the CustomResourceDefinitions in `FILE`, as printed by kubectl get crds -o json; - is standard input")
	fs.Bool(&c.trustFunction, "trust-function", false, "let a KRM function's functionConfig set artifacts, insecure-registry and report-file, which name files and hosts")
	fs.String(&c.reportFile, "report-file", "", "write what was done, warnings, and the error of a failed run as JSON to `PATH`, for callers that hide standard error")

	fs.Group("Admission")
	c.policyFlags(fs)

	fs.Group("Readiness")
	fs.Var(&c.readiness, "readiness", "change nothing, with --write neither: report which workloads could run on these `PLATFORMS`, what blocks the others, and which images to build first; the exit code does not depend on that")
	fs.ChoiceOr(&c.survey.verify, "verify-binaries", "off", []string{"entrypoint", "all", "strict", "off"}, "with --readiness, look into the images for programs that are for another platform than the image says: at what is started, at every program and library, at what is started and at what cannot be verified as well, or not at all")
	fs.String(&c.survey.html, "html", "", "with --readiness, write the report as a page to `FILE`, which needs nothing else")
	fs.Bool(&c.survey.suggest, "suggest", false, "with --readiness, look for a newer tag of the first images that block, which has the platform")
	fs.Bool(&c.survey.pullSecrets, "pull-secrets", false, "with --readiness, use the registry credentials of the Secrets among the manifests, each for the workloads of its namespace")
}

func program() command.Program {
	var c config
	return command.Program{
		Name:    "inject-affinity",
		Summary: "pin workloads to the nodes that can run their images",
		Usage:   "[flags] FILE|FOLDER...\n[flags] -k DIR\n[flags] < MANIFESTS\n--readiness PLATFORMS [flags] [FILE|FOLDER...]",
		Details: `
It adds node affinity to every Pod and Pod template, so that they run only on
nodes whose platform all of their images were built for, and replaces built
images by their tag and digest. All other bytes of the manifests stay the same.`,
		Example: `inject-affinity --artifacts artifacts.json k8s.yaml | kubectl apply -f -
inject-affinity --image 'app=ghcr.io/me/app:v1;linux/amd64,linux/arm64' -w k8s/
inject-affinity --artifacts artifacts.json --diff k8s.yaml    # look first
inject-affinity --artifacts artifacts.json --check -r .       # in CI: fail if it was not run
inject-affinity --artifacts artifacts.json -k overlays/prod | kubectl apply -f -
helm template chart | inject-affinity --taints "$(cat taints)" # asks the images' registries
kubectl get deploy,sts,ds,cronjob,job,pod -A -o json | inject-affinity --readiness linux/arm64`,
		Common: []string{"artifacts", "image", "write", "recursive", "diff", "check", "cluster-platforms", "taints", "on-unknown", "offline"},
		Values: map[string]func(*command.Env) []string{
			"cluster-platforms": func(*command.Env) []string { return platform.Common() },
			"readiness":         func(*command.Env) []string { return platform.Common() },
		},
		Results: []output.Spec{
			{Name: "changed", Description: "the number of workloads that changed, or would change"},
			{Name: "workloads", Description: "the number of objects with a PodSpec"},
			{Name: "files", Description: "the files that changed, or would change, separated by commas", List: true},
		},
		Flags: c.flags,
		Run:   c.run,
	}
}

func (c *config) run(ctx context.Context, env *command.Env) error {
	ctx, cancel := exit.WithTimeLimit(ctx, c.timeout)
	defer cancel()
	var r record
	do := c.inject
	if len(c.readiness) > 0 {
		do = c.assess
	}
	err := do(ctx, env, &r)
	if errors.Is(err, context.DeadlineExceeded) {
		err = exit.Unreachablef("%w", err).Hint("allow more time with --timeout")
	}
	if err != nil && c.reportFile != "" {
		r.Error, r.Hints = err.Error(), exit.HintsOf(err)
		if e := atomicfile.WriteAll(map[string][]byte{c.reportFile: r.marshal()}); e != nil {
			return errors.Join(err, e)
		}
	}
	return err
}

// inject does the work and notes it in r.
func (c *config) inject(ctx context.Context, env *command.Env, r *record) error {
	stdin := env.Stdin
	if len(env.Args) == 0 && c.kustomize == "" && c.crds != "-" && c.policyUpdate != "-" && !c.withoutManifests(env.Args) {
		limit := c.timeout
		var err error
		if stdin, err = c.function(ctx, env, stdin); err != nil {
			return err
		}
		if c.timeout < limit { // the function's own
			var cancel context.CancelFunc
			ctx, cancel = exit.WithTimeLimit(ctx, c.timeout)
			defer cancel()
		}
		c.timeout = min(c.timeout, limit)
	}
	if err := errors.Join(c.valid(env), c.validPolicy(env.Args)); err != nil {
		return err
	}
	in, err := c.injector(ctx, env.Log, stdin)
	if err != nil {
		return err
	}
	var sources []source
	if c.kustomize != "" {
		s, err := built(ctx, env, c.kustomize)
		if err != nil {
			return err
		}
		defer s.in.Close()
		sources = append(sources, s)
	} else if c.withoutManifests(env.Args) {
	} else if sources, r.Left, err = c.sources(env.Args, stdin); err != nil {
		return err
	}
	out := newSink(c, env.Stdout)
	if env.Output.Summarizes() {
		out.shown = &excerpt{}
	}
	defer out.abort()
	for _, s := range sources {
		if err := in.file(ctx, s, out, r); err != nil {
			if ctx.Err() != nil {
				return err
			}
			r.problems = append(r.problems, err)
		}
	}
	r.noteUnread()
	r.log(env.Log)
	if err := r.failed(c, env.Log); err != nil {
		return err
	}
	if in.notesImages {
		if r.policy, err = c.policies(ctx, env.Log, stdin, in, r); err != nil {
			return err
		}
	}
	return c.finish(env, r, out)
}

// finish puts the results where they are to go.
func (c *config) finish(env *command.Env, r *record, out *sink) error {
	if c.printsPolicy() {
		return c.printPolicy(env, r)
	}
	report := r.report(c, out.shown)
	switch {
	case c.check:
		stale := c.stalePolicy(r.policy)
		if len(r.Files) == 0 && stale != nil {
			return stale
		}
		if len(r.Files) == 0 {
			return env.Write(report)
		}
		if env.Output.JSON { // what is stale is what a check is asked for
			if _, err := env.Stdout.Write(r.marshal()); err != nil {
				return err
			}
		}
		if stale != nil {
			env.Log.Error(stale)
		}
		return r.stale(env.Log)
	case !c.write: // standard output comes last
		if err := env.Write(report); err != nil {
			return err
		}
		return out.commit()
	}
	for _, f := range r.Files {
		report.Text += f + "\n"
	}
	if err := out.commit(); err != nil {
		return err
	}
	return env.Write(report)
}

func (c *config) valid(env *command.Env) error {
	if given := c.survey.given(); given != "" {
		return exit.Usagef("flag --%s is for --readiness", given)
	}
	claimed := env.Output.Claims(env.World())
	modes := 0
	for _, m := range []bool{c.write, c.diff, c.check} {
		if m {
			modes++
		}
	}
	switch {
	case env.Command != nil:
		return exit.Usagef("it takes no command after --")
	case modes > 1:
		return exit.Usagef("flags --write, --diff and --check exclude each other")
	case c.kustomize != "" && (len(env.Args) > 0 || c.write):
		return exit.Usagef("flag --kustomize takes no files beside it, and what is built cannot be written in place").
			Hint("leave out --write to print it, or use --check or --diff")
	case c.crds == "-" && c.kustomize == "" && (len(env.Args) == 0 || slices.Contains(env.Args, "-")):
		return exit.Usagef("standard input cannot be both CustomResourceDefinitions and manifests").Hint("give one of them as a file")
	case c.write && len(env.Args) == 0:
		return exit.Usagef("flag --write needs files").Hint("leave it out to read standard input and print the result")
	case claimed != "" && !c.write && !c.check && !(c.policy && c.policyUpdate != "" && c.policyUpdate != "-"):
		return exit.Usagef("flag %s needs --write or --check: without them, standard output carries the manifests", claimed)
	}
	return validGlobs(c.exclude)
}
