package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/polyarch/polyarch/internal/cluster"
	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/flagset"
	"github.com/polyarch/polyarch/internal/output"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/pod"
)

type config struct {
	files      flagset.Lines
	kubeconfig string
	contexts   flagset.Lines
	common     bool
	timeout    time.Duration

	workloads   flagset.Lines
	selector    string
	tolerations flagset.Words
	readyOnly   bool
	nodePools   bool
	report      string

	platforms    platform.List
	among        platform.List
	expect       platform.List
	allowMissing bool
	choose       string
	fallback     platform.List

	runners       flagset.Lines
	optional      platform.List
	childPipeline string
	childJob      string
	childScript   flagset.Lines
}

func (c *config) flags(fs *flagset.Set) {
	fs.Group("Clusters")
	fs.Var(&c.contexts, "context", "use this `CONTEXT` of the kubeconfig instead of the current one; can be repeated, or one per line, for a fleet of clusters")
	fs.String(&c.kubeconfig, "kubeconfig", "", "the kubeconfig `FILE`, or a folder that holds a file named kubeconfig; by default $KUBECONFIG, ~/.kube/config, or the pod's service account, whichever is found first")
	fs.Var(&c.files, "from-file", "read nodes from a `FILE` written by kubectl get nodes -o json or -o yaml instead of from a cluster; - reads standard input; can be repeated")
	fs.Bool(&c.common, "common", false, "for a fleet, print the platforms that every cluster has instead of those that any cluster has")
	fs.Timeout(&c.timeout, "timeout", time.Minute, "give up after this `TIME`")
	fs.Group("Nodes")
	fs.Var(&c.workloads, "for", "count only what the workload in this manifest `FILE` can run on, by its own rules, requests and volumes; - reads standard input; if there are several workloads, repeat the flag with KIND/NAME of one")
	fs.String(&c.selector, "selector", "", "count only nodes with matching labels: a `SELECTOR` as in kubectl -l, for example pool=builds")
	fs.Var(&c.tolerations, "toleration", "a taint that the workload tolerates: `KEY[=VALUE][:EFFECT]`, or * for every taint; can be repeated")
	fs.Bool(&c.readyOnly, "ready-only", false, "leave out nodes that are not ready, or under memory, disk or PID pressure")
	fs.Bool(&c.nodePools, "node-pools", false, "count node pools that are scaled to zero as well: those of Karpenter, of Cluster API and OpenShift with the cluster autoscaler, and GKE's compute classes")
	fs.String(&c.report, "report", "", "read every node in full and write everything found, with the nodes, cores and memory of each platform, as JSON to `FILE`")
	fs.Group("Platforms")
	fs.Var(&c.platforms, "platform", "print only these `PLATFORMS`, for example linux/amd64,linux/arm64; it is an error (exit code 3) if no node offers one of them")
	fs.Var(&c.among, "among", "print those of these `PLATFORMS` that the nodes offer and drop the rest, with a note; it is an error (exit code 3) if none is left")
	fs.Var(&c.expect, "expect", "fail with exit code 1 unless the nodes offer exactly these `PLATFORMS`, for a job that watches for drift")
	fs.Bool(&c.allowMissing, "allow-missing", false, "keep a --platform that no node offers, with a warning, for clusters that emulate it")
	fs.Choice(&c.choose, "choose", []string{"all", "one"}, "print all platforms, or one: the architecture of this machine if the cluster has it, else the platform with the most nodes")
	fs.Var(&c.fallback, "fallback", "print these `PLATFORMS`, with a warning, if there is no cluster, no access, or no node that takes the workload")
	fs.Group("Pipelines")
	fs.Var(&c.runners, "runner", "the runner that builds a platform, for the matrix and the child pipeline: `PATTERN=LABEL[,LABEL]`, where PATTERN is a platform, an operating system or default; the most specific pattern wins; can be repeated, or one per line")
	fs.Var(&c.optional, "optional", "mark these `PLATFORMS` in the matrix and the child pipeline: their builds may fail; can be repeated")
	fs.String(&c.childPipeline, "child-pipeline", "", "write a GitLab child pipeline with one job per platform to `FILE`; --child-job or --child-script says what the jobs do")
	fs.String(&c.childJob, "child-job", "", "start the child pipeline with this GitLab CI `FILE`, unchanged; each job extends its hidden job .build-image")
	fs.Var(&c.childScript, "child-script", "a `COMMAND` of the jobs' script, run with PLATFORM, ARCH, SLUG and PLATFORMS in the environment; can be repeated, or one per line")
}

var results = []output.Spec{
	{Name: "platforms", Description: "the platforms, for example linux/amd64,linux/arm64", List: true},
	{Name: "arches", Description: "their architectures, for example amd64,arm64", List: true},
	{Name: "mixed", Description: "true if there is more than one platform, else false"},
	{Name: "count", Description: "the number of platforms"},
	{Name: "taints", Description: "taints on the architecture that a workload must tolerate, for example kubernetes.io/arch=arm64:NoSchedule", List: true},
	{Name: "matrix", Description: `for strategy.matrix of a GitHub workflow, with fromJSON: {"include":[{"platform":"linux/arm64","arch":"arm64","runner":"ubuntu-24.04-arm","slug":"linux_arm64"}]}; those of --optional have "optional":true`},
	{Name: "optional", Description: "the platforms of --optional among those that are printed, separated by commas", List: true},
}

func program() command.Program {
	c := &config{}
	return command.Program{
		Name:    "detect-arch",
		Summary: "find out which platforms a workload can run on, in these clusters, now",
		Usage:   "[--context CONTEXT]... [flags]\n--from-file FILE... [flags]",
		Details: `
The platforms come from the nodes' labels kubernetes.io/os and
kubernetes.io/arch. Nodes that do not take the workload are left out and
reported: cordoned nodes, virtual nodes (virtual-kubelet), and nodes with a
NoSchedule or NoExecute taint that no --toleration matches. A taint on
kubernetes.io/arch does not leave a node out; it is printed as a result. Nodes
that are not ready count, with a note. With --for, the workload's own rules,
requests and volumes decide as well.

It needs the right to list nodes, and with --for to get what the workload names.
In a cluster of more than 100 nodes it reads
the labels of all nodes and, for each platform, full nodes until one takes the
workload; --report reads all nodes in full.

A GitLab pipeline includes the file of --child-pipeline with trigger: include:
artifact. Runners are GitHub's in the matrix and GitLab's in the child
pipeline, unless --runner names others.`,
		Example: `detect-arch                                            # the current context
kubectl get nodes -o json | detect-arch --from-file -  # without access to the cluster
detect-arch --context eu --context us --common         # platforms that both clusters have
detect-arch --for deploy.yaml                          # what this workload can run on
detect-arch --selector pool=web --toleration dedicated=web:NoSchedule
detect-arch --expect linux/amd64,linux/arm64           # code 1 if the nodes changed
detect-arch --platform linux/amd64,linux/arm64 --result 'platforms[*]=/tekton/results/platforms'
detect-arch --github --runner linux/arm64=my-arm-runner --fallback linux/amd64
detect-arch --dotenv detect.env --child-pipeline build.yml --child-script './build.sh "$PLATFORM"'`,
		Common: []string{"context", "from-file", "for", "platform", "among", "fallback", "selector", "node-pools", "json", "result"},
		Values: map[string]func(*command.Env) []string{
			"context":  c.knownContexts,
			"platform": func(*command.Env) []string { return platform.Common() },
			"among":    func(*command.Env) []string { return platform.Common() },
			"expect":   func(*command.Env) []string { return platform.Common() },
			"fallback": func(*command.Env) []string { return platform.Common() },
		},
		Results: results,
		Flags:   c.flags,
		Run:     c.run,
	}
}

func (c *config) run(ctx context.Context, env *command.Env) error {
	if err := env.NoArgs(); err != nil {
		return err
	}
	ctx, cancel := exit.WithTimeLimit(ctx, c.timeout)
	defer cancel()
	query, err := c.query()
	if err != nil {
		return err
	}
	if query.Filter.Workload, err = c.workload(env.Stdin); err != nil {
		return err
	}
	runners, err := parseRunners(c.runners)
	if err != nil {
		return err
	}
	child, err := c.child()
	if err != nil {
		return err
	}
	surveys, chosen, err := c.detect(ctx, env, query)
	if err != nil {
		return err
	}
	r := report(chosen, surveys, runners, c.optional, query.Filter.Workload)
	r.Files = map[string][]byte{}
	if c.report != "" {
		b, _ := json.MarshalIndent(r.JSON, "", "  ") // what --json prints
		r.Files[c.report] = append(b, '\n')
	}
	if child != nil {
		r.Files[c.childPipeline] = child.pipeline(list(chosen), runners, c.optional)
	}
	return env.Write(r)
}

// query returns what to ask the clusters, and refuses flags that do not go together.
func (c *config) query() (cluster.Query, error) {
	q := cluster.Query{Counts: c.report != "", NodePools: c.nodePools}
	q.Filter.ReadyOnly = c.readyOnly
	switch {
	case len(c.among) > 0 && len(c.platforms) > 0:
		return q, exit.Usagef("--platform asks for all of its platforms, and --among for any: leave one out")
	case len(c.expect) > 0 && (len(c.platforms) > 0 || c.choose != "all"):
		return q, exit.Usagef("--expect compares with all that the nodes offer: leave out --platform and --choose")
	case len(c.expect) > 0 && len(c.fallback) > 0:
		return q, exit.Usagef("--fallback would hide what --expect watches for: leave one out")
	}
	if c.allowMissing && len(c.platforms) == 0 {
		return q, exit.Usagef("--allow-missing keeps a platform of --platform, and there is none")
	}
	if c.report != "" && c.report == c.childPipeline {
		return q, exit.Usagef("--report and --child-pipeline name the same file, %s", c.report)
	}
	if c.selector != "" {
		s, err := labels.Parse(c.selector)
		if err != nil {
			return q, exit.Usagef("flag --selector: %w", err)
		}
		q.Filter.Selector = s
	}
	for _, s := range c.tolerations {
		t, err := pod.ParseToleration(s)
		if err != nil {
			return q, exit.Usagef("flag --toleration: %w", err)
		}
		q.Filter.Tolerations = append(q.Filter.Tolerations, t)
	}
	return q, nil
}

// detect asks the clusters and chooses among what they offer, or takes the
// fallback.
func (c *config) detect(ctx context.Context, env *command.Env, q cluster.Query) ([]*cluster.Survey, []offer, error) {
	surveys, err := c.survey(ctx, env, q)
	if err == nil {
		err = c.empty(surveys)
	}
	if err != nil && len(c.fallback) > 0 && exit.CodeOf(err) >= exit.Impossible && ctx.Err() != context.Canceled {
		if slices.Equal(c.fallback, c.platforms) { // they were asked for by name, whatever there is
			env.Log.Infof("taking the platforms that --platform names: no cluster offers others")
		} else {
			env.Log.Warnf("%s; going on with --fallback %s", strings.ReplaceAll(err.Error(), "\n", "; "), c.fallback)
		}
		var chosen []offer
		for _, p := range c.fallback {
			chosen = append(chosen, offer{platform: p})
		}
		return []*cluster.Survey{}, chosen, nil
	}
	if err != nil {
		return nil, nil, err
	}
	got, err := c.pick(surveys)
	if errors.Is(err, errCounts) {
		q.Counts = true
		return c.detect(ctx, env, q)
	}
	for _, s := range surveys {
		c.describe(env.Log, s)
	}
	if len(got.missing) > 0 && err == nil {
		env.Log.Warnf("no node takes the workload on %s, which is kept for --allow-missing", got.missing)
	}
	if len(got.dropped) > 0 && err == nil {
		env.Log.Infof("dropped %s of --among: no node takes the workload there", got.dropped)
	}
	return surveys, got.offers, err
}

// survey asks all sources. What fails is told all at once.
func (c *config) survey(ctx context.Context, env *command.Env, q cluster.Query) ([]*cluster.Survey, error) {
	sources, err := c.sources(env)
	if err != nil {
		return nil, err
	}
	all, errs := cluster.SurveyAll(ctx, sources, q)
	var surveys []*cluster.Survey
	var failed []error
	for i, err := range errs {
		if err != nil {
			failed = append(failed, err)
			continue
		}
		surveys = append(surveys, all[i])
	}
	if len(failed) > 0 {
		return nil, errors.Join(failed...)
	}
	return surveys, nil
}

// knownContexts returns the contexts of the kubeconfig.
func (c *config) knownContexts(env *command.Env) []string {
	return cluster.Access{Kubeconfig: c.kubeconfig, Getenv: env.Getenv}.Known()
}

// sources returns what the flags ask about.
func (c *config) sources(env *command.Env) ([]cluster.Source, error) {
	if len(c.files) == 0 {
		return cluster.Access{
			Kubeconfig: c.kubeconfig, Contexts: c.contexts, Getenv: env.Getenv, UserAgent: "detect-arch/" + cmp.Or(command.Version, "dev"),
			Say: func(line string) { env.Log.Infof("the program that gets credentials: %s", line) },
		}.Open()
	}
	if len(c.contexts) > 0 || c.kubeconfig != "" {
		return nil, exit.Usagef("--from-file reads no cluster: leave out --context and --kubeconfig")
	}
	var sources []cluster.Source
	seen := map[string]bool{}
	for _, f := range c.files {
		if seen[f] {
			return nil, exit.Usagef("--from-file %s is there twice", f)
		}
		seen[f] = true
		sources = append(sources, &cluster.File{Path: f, Stdin: env.Stdin})
	}
	return sources, nil
}
