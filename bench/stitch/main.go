// Command stitch measures what it costs to make one index of the images built
// for each platform: stitch-index and the tools a pipeline could use instead,
// against a real registry behind a proxy that delays each answer. It prints
// Markdown tables.
//
//	go run -C bench ./stitch
//
// The programs take turns, so that whatever else the machine does falls on all
// of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/polyarch/polyarch/bench/internal/turns"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

func main() {
	runs := flag.Int("runs", 3, "how often each program runs; the tables have medians")
	only := flag.String("only", "", "measure just this: same, layers, repository or registry")
	peers := flag.String("peers", "", "measure just the programs whose names have one of these words, separated by commas")
	flag.Parse()
	turns.Main("stitch", func(ctx context.Context) error { return bench(ctx, *runs, *only, *peers) })
}

// delays are what the proxy adds to each answer.
var delays = []time.Duration{0, 5 * time.Millisecond, 50 * time.Millisecond}

func bench(ctx context.Context, runs int, only, peers string) error {
	if peers != "" {
		contenders = slices.DeleteFunc(contenders, func(c contender) bool {
			return !slices.ContainsFunc(strings.Split(peers, ","), func(word string) bool { return strings.Contains(c.name, word) })
		})
	}
	dir, err := os.MkdirTemp("", "polyarch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	programs, err := build(ctx, dir)
	if err != nil {
		return err
	}
	if err := apart(dir); err != nil {
		return err
	}
	var registries [2]*server
	for i := range registries {
		if registries[i], err = startRegistry(ctx, programs["registry"], filepath.Join(dir, fmt.Sprint("registry", i))); err != nil {
			return err
		}
		defer registries[i].stop()
	}
	b := &benchmark{programs: programs, dir: dir, from: registries[0], to: registries[1], runs: runs}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"same", b.sameRepository}, {"layers", b.layers}, {"repository", b.otherRepository}, {"registry", b.otherRegistry}} {
		if only == "" || only == part.name {
			if err := part.run(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// build builds or finds all programs.
func build(ctx context.Context, dir string) (map[string]string, error) {
	programs := map[string]string{"stitch-index": filepath.Join(dir, "stitch-index")}
	if err := tool.BuildOurs(ctx, "stitch-index", programs["stitch-index"]); err != nil {
		return nil, err
	}
	measure, err := turns.Build(ctx, dir, "./floor")
	if err != nil {
		return nil, err
	}
	programs["measure"], programs["floor"] = measure, filepath.Join(dir, "floor")
	for _, p := range []tool.Program{tool.Distribution, tool.Crane, tool.Oras, tool.Regctl, tool.ManifestTool, tool.Buildx} {
		if p.Name != tool.Distribution.Name && !slices.ContainsFunc(contenders, func(c contender) bool { return c.program == p.Name }) {
			continue
		}
		path, err := p.Build(ctx, logf)
		if err != nil {
			return nil, err
		}
		programs[p.Name] = path
	}
	if path, err := exec.LookPath("buildah"); err == nil {
		programs["buildah"] = path
	} else {
		logf("buildah is left out: %v", err)
	}
	return programs, nil
}

// apart keeps the tools' own files in dir.
func apart(dir string) error {
	for name, value := range map[string]string{
		"HOME": dir, "DOCKER_CONFIG": dir, "XDG_RUNTIME_DIR": dir,
		"BUILDX_CONFIG": filepath.Join(dir, "buildx"), "REGCTL_CONFIG": filepath.Join(dir, "regctl.json"),
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o600) // buildah wants one
}

func logf(format string, args ...any) { fmt.Fprintf(os.Stderr, "stitch: "+format+"\n", args...) }
