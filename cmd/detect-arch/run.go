package main

import (
	"context"
	"time"

	"github.com/polyarch/polyarch/internal/cluster"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
	"github.com/polyarch/polyarch/internal/platform"
)

type config struct {
	files      flagset.Lines
	kubeconfig string
	contexts   flagset.Words
	timeout    time.Duration

	platforms platform.List
	choose    string

	runners flagset.Lines
}

func (c *config) flags(fs *flagset.Set) {
	fs.Group("Clusters")
	fs.Var(&c.files, "from-file", "nodes from a `FILE`, as kubectl get nodes -o json or -o yaml prints them, instead of from a cluster; - is standard input; can be repeated")
	fs.String(&c.kubeconfig, "kubeconfig", "", "the kubeconfig `FILE`, or a folder with a file named kubeconfig; without it $KUBECONFIG, then ~/.kube/config, then the service account of the pod")
	fs.Var(&c.contexts, "context", "`CONTEXT` of the kubeconfig instead of the current one; can be repeated, for the platforms of all these clusters")
	fs.Duration(&c.timeout, "timeout", time.Minute, "give up after `TIME`")
	fs.Group("Platforms")
	fs.Var(&c.platforms, "platform", "offer these `PLATFORMS` at most, for example linux/amd64,linux/arm64; one that no cluster offers ends with code 3")
	fs.Choice(&c.choose, "choose", []string{"all", "one", "host", "most"}, "which of the platforms: all; one, that of this host's architecture if it is there, else the one with most nodes; host, that of this host's architecture; most, the one with most nodes")
	fs.Group("Pipelines")
	fs.Var(&c.runners, "runner", "where the matrix builds a platform: `PATTERN=LABEL[,LABEL]`, where PATTERN is linux/arm64, linux or default, and the most specific one counts; can be repeated, or one on each line")
}

var results = []output.Spec{
	{Name: "platforms", Description: "the platforms, for example linux/amd64,linux/arm64", List: true},
	{Name: "arches", Description: "their architectures, for example amd64,arm64", List: true},
	{Name: "mixed", Description: "true if there is more than one platform, else false"},
	{Name: "count", Description: "how many platforms there are"},
	{Name: "taints", Description: "taints on the architecture that a workload has to tolerate, for example kubernetes.io/arch=arm64:NoSchedule", List: true},
	{Name: "matrix", Description: `for strategy.matrix of a GitHub workflow, by fromJSON: {"include":[{"platform":"linux/arm64","arch":"arm64","runner":"ubuntu-24.04-arm","slug":"linux_arm64"}]}`},
}

func program() command.Program {
	c := &config{}
	return command.Program{
		Name:    "detect-arch",
		Summary: "find out which platforms a workload can run on, in these clusters, now",
		Usage:   "[--context CONTEXT] [flags]\n--from-file FILE [flags]",
		Details: `It reads the labels kubernetes.io/os and kubernetes.io/arch of the nodes and prints
the platforms they make, for example linux/amd64,linux/arm64. Nodes that do not take
the workload do not count: cordoned ones, virtual ones, and those with a taint.
A taint on kubernetes.io/arch is no reason to leave a node out; it is a result.`,
		Example: `detect-arch                                            # the current context
kubectl get nodes -o json | detect-arch --from-file -  # without access to the cluster
detect-arch --context eu --context us --json           # two clusters, as JSON
detect-arch --platform linux/amd64,linux/arm64 --result platforms=/tekton/results/platforms
detect-arch --github --runner linux/arm64=ubuntu-24.04-arm`,
		Results: results,
		Flags:   c.flags,
		Run:     c.run,
	}
}

func (c *config) run(ctx context.Context, e *command.Env) error {
	if err := e.NoArgs(); err != nil {
		return err
	}
	runners, err := parseRunners(c.runners)
	if err != nil {
		return err
	}
	sources, err := c.sources(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var surveys []*cluster.Survey
	for _, s := range sources {
		survey, err := s.Survey(ctx, cluster.Query{})
		if err != nil {
			return err
		}
		tell(e.Log, survey)
		surveys = append(surveys, survey)
	}
	offered := merge(surveys)
	if len(offered) == 0 {
		return nothing(surveys)
	}
	chosen, err := c.pick(offered)
	if err != nil {
		return err
	}
	return e.Write(report(chosen, surveys, runners))
}

// sources gives what the flags ask about.
func (c *config) sources(e *command.Env) ([]cluster.Source, error) {
	if len(c.files) == 0 {
		return cluster.Access{Kubeconfig: c.kubeconfig, Contexts: c.contexts, Getenv: e.Getenv, UserAgent: "detect-arch"}.Open()
	}
	if len(c.contexts) > 0 || c.kubeconfig != "" {
		return nil, exit.Usagef("--from-file reads no cluster; leave out --context and --kubeconfig")
	}
	var sources []cluster.Source
	stdin := false
	for _, f := range c.files {
		if f == "-" && stdin {
			return nil, exit.Usagef("--from-file - can be given once: there is one standard input")
		}
		stdin = stdin || f == "-"
		sources = append(sources, &cluster.File{Path: f, Stdin: e.Stdin})
	}
	return sources, nil
}
