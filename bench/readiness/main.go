// Command readiness measures how long it takes to find out which of 400 images
// have a platform, with inject-affinity --readiness and by hand, at a registry
// that is 50 ms away and at one that takes 20 requests a second; and the memory
// for a list of 100 MB. It prints Markdown tables, with what each way got wrong.
//
//	go run -C bench ./readiness
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/polyarch/polyarch/bench/internal/turns"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

func main() {
	runs := flag.Int("runs", 3, "how often each way runs; the table has medians")
	serial := flag.Bool("serial", true, "run crane one image after the other as well, which takes a minute a run")
	flag.Parse()
	turns.Main("readiness", func(ctx context.Context) error { return bench(ctx, *runs, *serial) })
}

const images = 400

// A way finds out which images have the platform.
type way struct {
	name   string
	argv   []string
	stdin  string // a file
	answer func(dir string) (map[string]string, error)
	took   []time.Duration
	wrong  string // of the last run
}

func bench(ctx context.Context, runs int, serial bool) error {
	dir, err := os.MkdirTemp("", "polyarch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	measure, err := turns.Build(ctx, dir)
	if err != nil {
		return err
	}
	ours := filepath.Join(dir, "inject-affinity")
	if err := tool.BuildOurs(ctx, "inject-affinity", ours); err != nil {
		return err
	}
	crane, err := tool.Crane.Build(ctx, func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	if err != nil {
		return err
	}
	s, err := serve()
	if err != nil {
		return err
	}
	truth, err := s.push()
	if err != nil {
		return err
	}
	cluster, list := filepath.Join(dir, "cluster.json"), filepath.Join(dir, "images")
	if err := writeCluster(cluster, list, s.host); err != nil {
		return err
	}
	load := turns.LoadAverage()
	for _, limited := range []bool{false, true} {
		ways := []*way{
			{name: "inject-affinity --readiness", argv: []string{ours, "--readiness", "linux/arm64", "--json", cluster}, answer: reported},
			{name: "xargs -P 16 crane manifest", argv: byHand(crane, "16"), stdin: list, answer: printed},
		}
		if serial && !limited {
			ways = append(ways, &way{name: "xargs crane manifest", argv: byHand(crane, "1"), stdin: list, answer: printed})
		}
		for r := range runs {
			for _, w := range ways {
				if w.name == "xargs crane manifest" && r > 0 {
					continue // a minute
				}
				s.begin(limited)
				if err := w.run(ctx, truth); err != nil {
					return err
				}
				fmt.Fprintf(os.Stderr, "%s: %s, %d requests, %d of them refused\n", w.name, w.took[len(w.took)-1].Round(time.Millisecond), s.requests.Load(), s.refused.Load())
			}
		}
		table(limited, ways, load)
	}
	big := filepath.Join(dir, "big.json")
	size, workloads, err := writeBig(big)
	if err != nil {
		return err
	}
	c, err := turns.Run(ctx, measure, []string{ours, "--readiness", "linux/arm64", "--offline", "--quiet", big})
	if err != nil {
		return err
	}
	fmt.Printf("\nA List of %d MB with %d Deployments: %.1f s, %d MB of memory.\n", size/1e6, workloads, c.Wall.Seconds(), c.Memory>>20)
	return nil
}

// byHand is what people do: each image's manifest by crane, and a look whether
// it names the platform.
func byHand(crane, parallel string) []string {
	return []string{"xargs", "-P", parallel, "-n", "1", "sh", "-c", `if m=$("$0" manifest --insecure "$1" 2>/dev/null); then case $m in *'"architecture":"arm64"'*) echo "$1 yes";; *) echo "$1 no";; esac; else echo "$1 failed"; fi`, crane}
}

func (w *way) run(ctx context.Context, truth map[string]string) error {
	cmd := exec.CommandContext(ctx, w.argv[0], w.argv[1:]...)
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG=/nonexistent")
	if w.stdin != "" {
		f, err := os.Open(w.stdin)
		if err != nil {
			return err
		}
		defer f.Close()
		cmd.Stdin = f
	}
	started := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("running %s: %w", w.name, err)
	}
	w.took = append(w.took, time.Since(started))
	got, err := w.answer(string(out))
	if err != nil {
		return fmt.Errorf("reading what %s printed: %w", w.name, err)
	}
	failed, wrong, missed := 0, 0, 0
	for image, want := range truth {
		switch got[image] {
		case want:
		case "":
			missed++
		case "failed":
			failed++
		default:
			wrong++
		}
	}
	w.wrong = fmt.Sprintf("%d failed, %d wrong, %d not looked at", failed, wrong, missed)
	return nil
}

// reported reads our report.
func reported(out string) (map[string]string, error) {
	var r struct {
		Images []struct {
			Image     string
			Platforms []string
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return nil, err
	}
	got := map[string]string{}
	for _, i := range r.Images {
		got[i.Image] = "no"
		if i.Platforms == nil {
			got[i.Image] = "failed"
		}
		for _, p := range i.Platforms {
			if p == "linux/arm64" {
				got[i.Image] = "yes"
			}
		}
	}
	return got, nil
}

// printed reads what byHand prints.
func printed(out string) (map[string]string, error) {
	got := map[string]string{}
	for line := range strings.Lines(out) {
		if image, answer, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			got[image] = answer
		}
	}
	return got, nil
}

func table(limited bool, ways []*way, load string) {
	title := "50 ms a round trip, no limit"
	if limited {
		title = fmt.Sprintf("50 ms a round trip, %d requests a second; the least is %d s", rate, images/rate)
	}
	ours := turns.Median(ways[0].took, func(d time.Duration) time.Duration { return d })
	fmt.Printf("\n%d images, %s (load %s):\n\n| way | s | × | of %d images |\n|---|--:|--:|---|\n", images, title, load, images)
	for _, w := range ways {
		took := turns.Median(w.took, func(d time.Duration) time.Duration { return d })
		fmt.Printf("| %s | %.2f | %.1f | %s |\n", w.name, took.Seconds(), took.Seconds()/ours.Seconds(), w.wrong)
	}
}
