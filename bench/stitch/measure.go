package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/bench/internal/turns"
)

type benchmark struct {
	programs map[string]string
	dir      string
	from, to *server
	runs     int
	counter  int
}

func (b *benchmark) next() int {
	b.counter++
	return b.counter
}

type measured struct {
	turns.Cost // the time of all its processes, the memory of the largest
	requests   int
	chain      int
}

// once runs one contender and checks what it made.
func (b *benchmark) once(ctx context.Context, c contender, w work, delay time.Duration) (m measured, err error) {
	commands, err := c.commands(b, w)
	if err != nil {
		return m, err
	}
	b.from.proxy.start(delay)
	b.to.proxy.start(delay)
	for _, argv := range commands {
		cost, err := turns.Run(ctx, b.programs["measure"], argv)
		if err != nil {
			return m, err
		}
		m.Wall += cost.Wall
		m.Memory = max(m.Memory, cost.Memory)
	}
	time.Sleep(20 * time.Millisecond) // for the proxy to see the end of the last answer
	all := append(b.from.proxy.seen(), b.to.proxy.seen()...)
	m.requests, m.chain = len(all), chain(all)
	return m, b.check(w)
}

// check makes sure that all contenders do the same work.
func (b *benchmark) check(w work) error {
	at := b.from.direct
	if w.target == b.to.proxy.host {
		at = b.to.direct
	}
	for _, tag := range w.tags {
		req, err := http.NewRequest(http.MethodGet, "http://"+at+"/v2/"+w.to+"/manifests/"+tag, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Accept", "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		var doc struct{ Manifests []struct{ Digest string } }
		err = json.NewDecoder(resp.Body).Decode(&doc)
		resp.Body.Close()
		if err != nil || len(doc.Manifests) != len(w.digests) {
			return fmt.Errorf("%s:%s has %d images, want %d: %v", w.to, tag, len(doc.Manifests), len(w.digests), err)
		}
	}
	return nil
}

// all runs the contenders in turn, the first time to warm up.
func (b *benchmark) all(ctx context.Context, delay time.Duration, runs int, elsewhere bool, works func() work) (map[string][]measured, error) {
	results := map[string][]measured{}
	for r := range runs + 1 {
		for _, c := range contenders {
			if b.programs[c.program] == "" || elsewhere && !c.elsewhere {
				continue
			}
			m, err := b.once(ctx, c, works(), delay)
			if err != nil {
				return nil, err
			}
			if r > 0 {
				results[c.name] = append(results[c.name], m)
			}
		}
	}
	return results, nil
}

// tags returns tags that name nothing yet, since stitch-index does not move one
// that is right already.
func (b *benchmark) tags(n int) []string {
	run := b.next()
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("v%d.%d", run, i))
	}
	return all
}

func (b *benchmark) sameRepository(ctx context.Context) error {
	sizes := []int{2, 4, 8, 16}
	digests, err := pushImages(b.from, "app", slices.Max(sizes), 10_000, 1, 0)
	if err != nil {
		return err
	}
	for _, nt := range []int{1, 3} {
		for _, delay := range delays {
			if err := b.table(ctx, fmt.Sprintf("%d tag(s)", nt), "app", digests, sizes, nt, delay); err != nil {
				return err
			}
		}
	}
	return nil
}

// layers are images of three layers: where the program lies decides how much
// has to be read to verify it.
func (b *benchmark) layers(ctx context.Context) error {
	sizes := []int{4, 16}
	for _, where := range []struct {
		what, repo string
		at         int
	}{{"the program in the top one of three layers", "top", 2}, {"the program in the lowest of three layers", "lowest", 0}} {
		digests, err := pushImages(b.from, where.repo, slices.Max(sizes), 10_000, 3, where.at)
		if err != nil {
			return err
		}
		for _, delay := range delays {
			if err := b.table(ctx, where.what, where.repo, digests, sizes, 1, delay); err != nil {
				return err
			}
		}
	}
	return nil
}

// table prints a row for each contender, with a column for each number of
// platforms.
func (b *benchmark) table(ctx context.Context, what, repo string, digests []v1.Hash, sizes []int, nt int, delay time.Duration) error {
	load := turns.LoadAverage()
	byName := map[string][]string{}
	for _, n := range sizes {
		logf("%d platforms, %s, %s", n, what, delay)
		results, err := b.all(ctx, delay, b.runs, false, func() work {
			h := b.from.proxy.host
			return work{h, repo, digests[:n], h, repo, b.tags(nt)}
		})
		if err != nil {
			return err
		}
		for name, runs := range results {
			byName[name] = append(byName[name], fmt.Sprintf("%d / %d / **%d**",
				turns.Median(runs, func(m measured) int { return m.requests }),
				turns.Median(runs, func(m measured) int { return m.chain }),
				turns.Median(runs, func(m measured) time.Duration { return m.Wall }).Milliseconds()))
			if n == slices.Max(sizes) {
				byName[name] = append(byName[name], mega(turns.Median(runs, func(m measured) int64 { return m.Memory })))
			}
		}
	}
	fmt.Printf("\nRequests / chain / ms, %s, %d ms added to each answer; medians of %d runs in turn, load average %s on %d cores before:\n\n| |", what, delay.Milliseconds(), b.runs, load, runtime.NumCPU())
	for _, n := range sizes {
		fmt.Printf(" %d platforms |", n)
	}
	fmt.Printf(" memory |\n|---|%s\n", strings.Repeat("--:|", len(sizes)+1))
	for _, c := range contenders {
		if row := byName[c.name]; row != nil {
			fmt.Printf("| %s | %s |\n", c.name, strings.Join(row, " | "))
		}
	}
	return nil
}

// otherRepository and otherRegistry take a repository that has nothing yet for
// each run.
func (b *benchmark) otherRepository(ctx context.Context) error {
	digests, err := pushImages(b.from, "app", 4, 10_000, 1, 0)
	if err != nil {
		return err
	}
	return b.elsewhere(ctx, "4 platforms into another repository of the same registry", b.runs, func() work {
		h := b.from.proxy.host
		return work{h, "app", digests, h, fmt.Sprintf("copy%d", b.next()), b.tags(1)}
	})
}

func (b *benchmark) otherRegistry(ctx context.Context) error {
	digests, err := pushImages(b.from, "big", 4, 100_000_000, 1, 0)
	if err != nil {
		return err
	}
	return b.elsewhere(ctx, "4 platforms of 100 MB into another registry", b.runs, func() work {
		return work{b.from.proxy.host, "big", digests, b.to.proxy.host, fmt.Sprintf("copy%d", b.next()), b.tags(1)}
	})
}

func (b *benchmark) elsewhere(ctx context.Context, what string, runs int, works func() work) error {
	for _, delay := range delays {
		logf("%s, %s", what, delay)
		load := turns.LoadAverage()
		results, err := b.all(ctx, delay, runs, true, works)
		if err != nil {
			return err
		}
		fmt.Printf("\n%s, %d ms added to each answer; medians of %d runs in turn, load average %s on %d cores before:\n\n| | requests | chain | ms | memory |\n|---|--:|--:|--:|--:|\n", what, delay.Milliseconds(), runs, load, runtime.NumCPU())
		for _, c := range contenders {
			if r := results[c.name]; r != nil {
				fmt.Printf("| %s | %d | %d | **%d** | %s |\n", c.name,
					turns.Median(r, func(m measured) int { return m.requests }), turns.Median(r, func(m measured) int { return m.chain }),
					turns.Median(r, func(m measured) time.Duration { return m.Wall }).Milliseconds(), mega(turns.Median(r, func(m measured) int64 { return m.Memory })))
			}
		}
	}
	return nil
}

func mega(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }
