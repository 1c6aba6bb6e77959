package programs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/program"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// row counts the outcomes of the cases of one rule.
type row struct{ starts, fails, startsProved, failsRefused, startsOpen, failsOpen int }

func TestVerdictsAgainstExecution(t *testing.T) {
	// The first three are for every change, all of them for the night.
	chosen := sources[:3]
	nightly := os.Getenv("POLYARCH_NIGHTLY") != ""
	if nightly {
		chosen = sources
	}
	if only := os.Getenv("PROGRAMS"); only != "" {
		chosen = slices.DeleteFunc(slices.Clone(sources), func(s source) bool { return !strings.Contains(only, s.debian) })
	}
	bases := map[string]*base{}
	load := func(suite, arch string) *base {
		key := suite + "/" + arch
		if b := bases[key]; b != nil {
			return b
		}
		dir, err := tool.DebianSuite(t.Context(), t.Logf, suite, arch, common...)
		if err != nil {
			t.Fatal(err)
		}
		b, err := newBase(dir)
		if err != nil {
			t.Fatal(err)
		}
		bases[key] = b
		return b
	}
	var all []testCase
	for _, s := range chosen {
		p, err := platform.Parse(s.platform)
		if err != nil {
			t.Fatal(err)
		}
		one := &set{platform: p, base: load(s.suite, s.debian)}
		for k := range 1 {
			around := chosen
			if len(chosen) == 1 {
				around = sources
			}
			o := around[(slices.IndexFunc(around, func(x source) bool { return x.debian == s.debian })+1+k)%len(around)]
			one.others = append(one.others, load(o.suite, o.debian))
		}
		if nightly && (s.debian == "amd64" || s.debian == "arm64") {
			one.older, one.newer = load("bullseye", s.debian), load("trixie", s.debian)
		}
		cases, err := one.cases(starting)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, cases...)
		if s.debian != "amd64" && s.debian != "arm64" || !nightly {
			continue
		}
		dir, err := tool.DebianSuite(t.Context(), t.Logf, s.suite, s.debian, servers...)
		if err != nil {
			t.Fatal(err)
		}
		b, err := newBase(dir)
		if err != nil {
			t.Fatal(err)
		}
		real := &set{platform: p, base: b, older: one.older, newer: one.newer}
		if cases, err = real.cases(serving(s.debian)); err != nil {
			t.Fatal(err)
		}
		all = append(all, cases...)
		if s.debian != "amd64" {
			continue
		}
		if dir, err = muslRoot(t.Context(), t.Logf, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		if b, err = newBase(dir); err != nil {
			t.Fatal(err)
		}
		if cases, err = (&set{platform: p, base: b}).musl(one.base); err != nil {
			t.Fatal(err)
		}
		all = append(all, cases...)
	}
	judge(t, all)
}

// judge returns the verdict on every case, runs it, and compares.
func judge(t *testing.T, all []testCase) {
	work := t.TempDir()
	queue := make(chan int)
	var mu sync.Mutex
	rows := map[string]*row{}
	reasons := map[string]int{}
	g, ctx := errgroup.WithContext(t.Context())
	g.Go(func() error {
		defer close(queue)
		for n := range all {
			select {
			case queue <- n:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range runtime.NumCPU() {
		g.Go(func() error {
			r, err := newRunner(context.WithoutCancel(ctx), work)
			if err != nil {
				return err
			}
			defer r.close()
			for n := range queue {
				c := all[n]
				v, err := c.base.view(c.files)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", c.rule, c.name, err)
				}
				report, settled := program.Check(v, c.start, c.on)
				if !settled {
					return fmt.Errorf("%s: %s is not settled", c.rule, c.name)
				}
				upper := filepath.Join(work, fmt.Sprint(n))
				if err := os.MkdirAll(upper, 0o755); err != nil {
					return err
				}
				if err := unpack(upper, c.files); err != nil {
					return fmt.Errorf("%s: %s: %w", c.rule, c.name, err)
				}
				env := append(append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, c.env...), c.start.Env...)
				o, err := r.run(job{Lower: c.base.dir, Upper: upper, Argv: slices.Concat(c.start.Entrypoint, c.start.Cmd), Env: env, Dir: c.start.WorkingDir})
				if err != nil {
					return fmt.Errorf("%s: %s: %w", c.rule, c.name, err)
				}
				os.RemoveAll(upper)
				mu.Lock()
				one := rows[c.rule]
				if one == nil {
					one = &row{}
					rows[c.rule] = one
				}
				one.count(o.Code == 0, report.Verdict)
				said := fmt.Sprintf("%s: %s: %s; the verdict is %s (%s), the exit code %d: %s", c.rule, c.name, strings.Join(c.start.Entrypoint, " "), report.Verdict, strings.Join(report.Reasons, "; "), o.Code, strings.TrimSpace(o.Output))
				switch {
				case o.Code == 0 && report.Verdict == program.Wrong, o.Code != 0 && report.Verdict == program.Starts:
					t.Errorf("%s", said)
				case report.Verdict == program.NotVerified:
					reasons[c.rule+": "+strings.Join(report.Reasons, "; ")]++
					t.Log(said)
				}
				mu.Unlock()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d root file systems\n%s", len(all), table(rows))
}

func (r *row) count(starts bool, v program.Verdict) {
	switch {
	case starts:
		r.starts++
	default:
		r.fails++
	}
	switch {
	case starts && v == program.Starts:
		r.startsProved++
	case starts && v == program.NotVerified:
		r.startsOpen++
	case !starts && v == program.Wrong:
		r.failsRefused++
	case !starts && v == program.NotVerified:
		r.failsOpen++
	}
}

// table is what docs/programs.md has.
func table(rows map[string]*row) string {
	var names []string
	for n := range rows {
		names = append(names, n)
	}
	sort.Strings(names)
	var b strings.Builder
	b.WriteString("| what was done | starts | proved | not verified | fails | refused | not verified |\n|---|---|---|---|---|---|---|\n")
	sum := row{}
	line := func(n string, r row) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d |\n", n, r.starts, r.startsProved, r.startsOpen, r.fails, r.failsRefused, r.failsOpen)
	}
	for _, n := range names {
		r := rows[n]
		line(n, *r)
		sum.starts += r.starts
		sum.startsProved += r.startsProved
		sum.startsOpen += r.startsOpen
		sum.fails += r.fails
		sum.failsRefused += r.failsRefused
		sum.failsOpen += r.failsOpen
	}
	line("**all**", sum)
	return b.String()
}
