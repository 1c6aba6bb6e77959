package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
)

// A config is the command line.
type config struct {
	artifacts flagset.Lines
	images    flagset.Lines
	write     bool
	diff      bool
}

func (c *config) flags(fs *flagset.Set) {
	fs.Group("Images")
	fs.Var(&c.artifacts, "artifacts", "read which images were built, and for which platforms, from `FILE`, as stitch-index and Skaffold write it; can be repeated")
	fs.Var(&c.images, "image", "an image that was built: the name that manifests use, its reference, and its platforms, as `NAME=REF;PLATFORMS`; can be repeated")
	fs.Group("Manifests")
	fs.Bool(&c.write, "write", false, "write the files in place instead of printing them")
	fs.Short("w", "write")
	fs.Bool(&c.diff, "diff", false, "print what would change as a unified diff")
}

func program() command.Program {
	var c config
	return command.Program{
		Name:    "inject-affinity",
		Summary: "pin workloads to the nodes that can run their images",
		Usage:   "[flags] [FILE...]\n[flags] < MANIFESTS",
		Details: `It adds node affinity to every Pod and Pod template, so that each of its nodes has a platform that
all of its images are built for, and writes tag and digest of built images. All other bytes stay.`,
		Example: `inject-affinity --artifacts artifacts.json k8s.yaml | kubectl apply -f -
inject-affinity --image 'app=ghcr.io/me/app:v1;linux/amd64,linux/arm64' -w k8s/*.yaml
inject-affinity --artifacts artifacts.json --diff k8s.yaml   # look first`,
		Results: []output.Spec{
			{Name: "changed", Description: "number of workloads that were changed"},
			{Name: "files", Description: "files that were changed, separated by commas", List: true},
		},
		Flags: c.flags,
		Run:   c.run,
	}
}

func (c *config) run(ctx context.Context, e *command.Env) error {
	switch {
	case e.Command != nil:
		return exit.Usagef("it takes no command after --")
	case c.write && c.diff:
		return exit.Usagef("flags --write and --diff exclude each other")
	case c.write && len(e.Args) == 0:
		return exit.Usagef("flag --write needs files").Hint("leave it out to read standard input and print the result")
	case e.Output.JSON && !c.write:
		return exit.Usagef("flag --json needs --write: without it, standard output carries the manifests")
	}
	images, err := c.catalogue()
	if err != nil {
		return err
	}
	sources, err := sources(e.Args, e.Stdin)
	if err != nil {
		return err
	}
	out := newSink(c, e.Stdout)
	defer out.abort()
	in := injector{images: images}
	var changed int
	var files []string
	for _, s := range sources {
		n, err := in.file(ctx, s, out, e.Log)
		if err != nil {
			return err
		}
		if n.edits > 0 {
			files = append(files, s.name)
		}
		changed += n.workloads
	}
	report := output.Report{
		Results: []output.Result{
			{Name: "changed", Text: strconv.Itoa(changed)},
			{Name: "files", Text: strings.Join(files, ","), List: files},
		},
		JSON: map[string]any{"changed": changed, "files": append([]string{}, files...)},
	}
	if !c.write { // standard output comes last
		if err := e.Write(report); err != nil {
			return err
		}
		return out.commit()
	}
	for _, f := range files {
		report.Text += f + "\n"
	}
	if err := out.commit(); err != nil {
		return err
	}
	return e.Write(report)
}
