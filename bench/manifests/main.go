// Command manifests measures what it costs to add node affinity to manifests:
// inject-affinity and its alternatives, on a long stream and on a single
// Deployment. It prints a Markdown table.
//
//	go run -C bench ./manifests
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/polyarch/polyarch/bench/internal/turns"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

func main() {
	documents := flag.Int("documents", 20_000, "how long the stream is; a document has 2.6 KB")
	runs := flag.Int("runs", 3, "how often each program runs; the table has medians")
	limit := flag.Duration("limit", 10*time.Minute, "how long a run may take")
	flag.Parse()
	turns.Main("manifests", func(ctx context.Context) error { return bench(ctx, *documents, *runs, *limit) })
}

// A contender is a way to edit a file; argv has a %s where the file's folder
// goes.
type contender struct {
	name    string
	argv    []string
	in      string // the file in that folder; "" is stream.yaml
	runs    []turns.Cost
	tooLong bool
	diff    string // lines added and removed, as git counts them
}

// term is what all of them add.
const term = `{"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [` +
	`{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}, {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]}]}]}}}`

func bench(ctx context.Context, documents, runs int, limit time.Duration) error {
	dir, err := os.MkdirTemp("", "polyarch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, n := range []int{documents, 1} {
		measure, contenders, err := build(ctx, dir)
		if err != nil {
			return err
		}
		work := filepath.Join(dir, fmt.Sprint(n))
		size, err := write(work, n)
		if err != nil {
			return err
		}
		load := turns.LoadAverage()
		for r := range runs + 1 {
			for i := range contenders {
				if err := contenders[i].run(ctx, measure, work, r == 0, limit); err != nil {
					return err
				}
			}
			logf("%d documents: round %d of %d", n, r, runs)
		}
		fmt.Print(table(n, size, runs, limit, load, contenders))
	}
	return nil
}

func build(ctx context.Context, dir string) (measure string, cs []contender, err error) {
	kustomize, err := tool.Kustomize.Build(ctx, logf)
	if err != nil {
		return "", nil, err
	}
	yq, err := tool.Yq.Build(ctx, logf)
	if err != nil {
		return "", nil, err
	}
	ours := filepath.Join(dir, "inject-affinity")
	if err := tool.BuildOurs(ctx, "inject-affinity", ours); err != nil {
		return "", nil, err
	}
	if measure, err = turns.Build(ctx, dir, "./roundtrip"); err != nil {
		return "", nil, err
	}
	return measure, []contender{
		{name: "`kustomize build`, a patch", argv: []string{kustomize, "build", "%s"}},
		{name: "`yq`, an assignment", argv: []string{yq, `(select(.kind == "Deployment") | .spec.template.spec.affinity) = ` + term, "%s/stream.yaml"}},
		{name: "yaml.v3, decode and encode", argv: []string{filepath.Join(dir, "roundtrip"), "%s/stream.yaml"}},
		{name: "`inject-affinity`, the same objects as one List", in: "list.json", argv: []string{ours, "--offline", "--quiet", "--image", image + "=" + image + ";linux/amd64,linux/arm64", "%s/list.json"}},
		{name: "**`inject-affinity`**", argv: []string{ours, "--offline", "--quiet", "--image", image + "=" + image + ";linux/amd64,linux/arm64", "%s/stream.yaml"}},
	}, nil
}

// run measures a contender once; the first time it looks at the result instead.
func (c *contender) run(ctx context.Context, measure, work string, first bool, limit time.Duration) error {
	if c.tooLong {
		return nil
	}
	var argv []string
	for _, a := range c.argv {
		argv = append(argv, strings.ReplaceAll(a, "%s", work))
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var err error
	if first {
		c.diff, err = diff(ctx, argv, filepath.Join(work, cmp.Or(c.in, "stream.yaml")), filepath.Join(work, "out.yaml"))
	} else {
		var cost turns.Cost
		cost, err = turns.Run(ctx, measure, argv)
		c.runs = append(c.runs, cost)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		c.tooLong = true
		return nil
	}
	return err
}

// diff runs a program and counts the lines it added and removed.
func diff(ctx context.Context, argv []string, in, out string) (string, error) {
	f, err := os.Create(out)
	if err != nil {
		return "", err
	}
	defer f.Close()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = f, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("running %s: %w", strings.Join(argv, " "), err)
	}
	b, err := exec.CommandContext(ctx, "git", "diff", "--no-index", "--numstat", in, out).Output()
	var differ *exec.ExitError
	if err != nil && (!errors.As(err, &differ) || differ.ExitCode() != 1) {
		return "", fmt.Errorf("running git diff: %w", err)
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return "none", nil
	}
	return "+" + fields[0] + " −" + fields[1], nil
}

func table(n, size, runs int, limit time.Duration, load string, contenders []contender) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d documents, %.1f MB, medians of %d runs in turn, load average %s on %d cores before:\n\n", n, float64(size)/1e6, runs, load, runtime.NumCPU())
	b.WriteString("| | wall | peak memory | wall, to `inject-affinity` | lines of diff |\n|---|--:|--:|--:|--:|\n")
	ours := turns.Median(contenders[len(contenders)-1].runs, func(c turns.Cost) time.Duration { return c.Wall })
	for _, c := range contenders {
		if c.tooLong {
			fmt.Fprintf(&b, "| %s | more than %s | | more than %.0f | |\n", c.name, limit, limit.Seconds()/ours.Seconds())
			continue
		}
		wall := turns.Median(c.runs, func(c turns.Cost) time.Duration { return c.Wall })
		memory := turns.Median(c.runs, func(c turns.Cost) int64 { return c.Memory })
		fmt.Fprintf(&b, "| %s | %.3f s | %.0f MB | %.1f | %s |\n", c.name, wall.Seconds(), float64(memory)/1e6, wall.Seconds()/ours.Seconds(), c.diff)
	}
	return b.String()
}

func logf(format string, args ...any) { fmt.Fprintf(os.Stderr, "manifests: "+format+"\n", args...) }
