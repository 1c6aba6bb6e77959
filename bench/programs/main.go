// Command programs measures what it costs to look at the programs of an image:
// stitch-index --verify-binaries, and gzip -dc | tar -t on the same layer. The
// layer is made of folders of this machine. It prints a Markdown table.
//
//	go run -C bench ./programs
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/polyarch/polyarch/bench/internal/turns"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

func main() {
	folders := flag.String("folders", "usr/bin,usr/sbin,usr/share,usr/lib/"+map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]+"-linux-gnu", "what the layer has, from / on, separated by commas")
	runs := flag.Int("runs", 5, "how often each program runs; the table has medians")
	flag.Parse()
	turns.Main("programs", func(ctx context.Context) error { return bench(ctx, strings.Split(*folders, ","), *runs) })
}

type contender struct {
	name string
	argv []string
	runs []turns.Cost
}

func bench(ctx context.Context, folders []string, runs int) error {
	dir, err := os.MkdirTemp("", "polyarch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	layer := filepath.Join(dir, "layer.tar.gz")
	packed := exec.CommandContext(ctx, "sh", "-c", `tar -C / -cf - "$@" | gzip > "$0"`, layer)
	packed.Args = append(packed.Args, folders...)
	if out, err := packed.CombinedOutput(); err != nil {
		return fmt.Errorf("packing %s: %w\n%s", folders, err, out)
	}
	image := filepath.Join(dir, "image")
	if err := write(image, layer); err != nil {
		return err
	}
	ours := filepath.Join(dir, "stitch-index")
	if err := tool.BuildOurs(ctx, "stitch-index", ours); err != nil {
		return err
	}
	measure, err := turns.Build(ctx, dir)
	if err != nil {
		return err
	}
	// A layer of this machine may have programs for others, which are refused
	// when all was looked at: that is no failure here.
	verify := func(mode string) []string {
		return []string{"sh", "-c", `"$0" --dry-run --quiet --image bench.invalid/app:v1 --verify-binaries "$1" "oci:$2" 2> /dev/null || [ $? = 1 ]`, ours, mode, image}
	}
	all := []contender{
		{name: "`gzip -dc`", argv: []string{"sh", "-c", `gzip -dc "$0" > /dev/null`, layer}},
		{name: "`gzip -dc \\| tar -t`", argv: []string{"sh", "-c", `gzip -dc "$0" | tar -t > /dev/null`, layer}},
		{name: "`stitch-index --verify-binaries entrypoint`", argv: verify("entrypoint")},
		{name: "**`stitch-index --verify-binaries all`**", argv: verify("all")},
	}
	load := turns.LoadAverage()
	for r := range runs + 1 {
		for i := range all {
			cost, err := turns.Run(ctx, measure, all[i].argv)
			if err != nil {
				return err
			}
			if r > 0 { // the first round fills the caches
				all[i].runs = append(all[i].runs, cost)
			}
		}
		fmt.Fprintf(os.Stderr, "programs: round %d of %d\n", r, runs)
	}
	info, err := os.Stat(layer)
	if err != nil {
		return err
	}
	fmt.Printf("\nA layer of %.0f MB, medians of %d runs in turn, load average %s on %d cores before:\n\n", float64(info.Size())/1e6, runs, load, runtime.NumCPU())
	fmt.Print("| | wall | processor time | peak memory | speed, to `gzip -dc \\| tar -t`, by wall | by processor time |\n|---|--:|--:|--:|--:|--:|\n")
	wall := func(c turns.Cost) time.Duration { return c.Wall }
	cpu := func(c turns.Cost) time.Duration { return c.CPU }
	floor, floorCPU := turns.Median(all[1].runs, wall), turns.Median(all[1].runs, cpu)
	for _, c := range all {
		w, p := turns.Median(c.runs, wall), turns.Median(c.runs, cpu)
		memory := turns.Median(c.runs, func(c turns.Cost) int64 { return c.Memory })
		fmt.Printf("| %s | %.2f s | %.2f s | %.0f MB | %.2f | %.2f |\n", c.name, w.Seconds(), p.Seconds(), float64(memory)/1e6, floor.Seconds()/w.Seconds(), floorCPU.Seconds()/p.Seconds())
	}
	return nil
}

// write makes a layout of an image with one layer, which starts a program of it.
func write(folder, file string) error {
	layer, err := tarball.LayerFromFile(file, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return err
	}
	image, err := mutate.Append(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1), mutate.Addendum{Layer: layer, MediaType: types.OCILayer})
	if err != nil {
		return err
	}
	image, err = mutate.ConfigFile(image, configFor(image))
	if err != nil {
		return err
	}
	to, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	return to.AppendImage(image)
}

func configFor(image v1.Image) *v1.ConfigFile {
	c, err := image.ConfigFile()
	if err != nil {
		panic(err) // it is in memory
	}
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", runtime.GOARCH
	c.Config.Entrypoint = []string{"/usr/bin/env"}
	return c
}
