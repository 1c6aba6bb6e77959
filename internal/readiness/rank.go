package readiness

import (
	"cmp"
	"maps"
	"slices"

	"github.com/polyarch/polyarch/internal/platform"
)

// A Blocker is an image that keeps workloads from a platform.
type Blocker struct {
	Image     string        `json:"image"`
	Digest    string        `json:"digest,omitempty"` // of what runs, where it was looked up by that
	Lies      bool          `json:"lies"`             // it has the platform, and a program for another one in it
	Why       string        `json:"why"`
	Platforms platform.List `json:"platforms"` // that it has
	Workloads int           `json:"workloads"` // that it blocks, alone or with others
	// Frees is what could move if this image alone had the platform, beside
	// what can move now.
	Frees Total `json:"frees"`
	// Adds is what it adds after those before it in the ranking, and After
	// what can move then in all.
	Adds      Total    `json:"adds"`
	After     Total    `json:"after"`
	Blocks    []string `json:"blocks"` // the first of the workloads: NAMESPACE/KIND/NAME
	Suggested *Tag     `json:"suggested,omitempty"`

	key string
}

// A Tag is one of the same repository that could be used instead.
type Tag struct {
	Tag       string        `json:"tag,omitempty"` // empty: there is none
	Platforms platform.List `json:"platforms,omitempty"`
	Why       string        `json:"why,omitempty"` // there is none
}

// maxNamed is how many of the workloads that an image blocks are named.
const maxNamed = 20

// A stuck workload waits for images.
type stuck struct {
	row  *Row
	left map[string]bool
}

// rank orders the images that block by what they free, each time counting those
// before them as done: of two images that a workload needs, the second is
// worth as much as the workload. Images that could not be looked up free
// nothing.
func (r *Report) rank(n int, p platform.Platform, images map[string]*Image) []Blocker {
	waiting := map[string][]*stuck{} // by image
	found := map[string]*Blocker{}
	movable := Total{}
	for i := range r.Workloads {
		row := &r.Workloads[i]
		a := row.Answers[n]
		if a.Verdict == Allowed || a.Verdict == Ready {
			movable.add(row.workload)
		}
		if a.Verdict != Blocked && a.Verdict != Lying {
			continue
		}
		s := &stuck{row, map[string]bool{}}
		for _, b := range a.Because {
			s.left[b.key] = true
		}
		for _, b := range a.Because {
			img := images[b.key]
			if img == nil || img.Platforms == nil {
				continue
			}
			f := found[b.key]
			if f == nil {
				f = &Blocker{Image: img.Ref, Digest: img.Digest, Why: b.Why, Platforms: img.Platforms, Lies: len(img.Programs[p].Wrong) > 0, key: b.key, Blocks: []string{}}
				found[b.key] = f
			}
			if had := waiting[b.key]; len(had) > 0 && had[len(had)-1] == s {
				continue // two containers of one image
			}
			waiting[b.key] = append(waiting[b.key], s)
			f.Workloads++
			if len(f.Blocks) < maxNamed {
				f.Blocks = append(f.Blocks, row.Namespace+"/"+row.Title())
			}
			if len(s.left) == 1 {
				f.Frees.add(row.workload)
			}
		}
	}
	// What each adds now: whole workloads, and a share of those that wait for
	// several images, which decides between images that free nothing alone.
	adds, share := map[string]Total{}, map[string]float64{}
	for key, all := range waiting {
		t := Total{}
		for _, s := range all {
			if len(s.left) == 1 {
				t.add(s.row.workload)
			}
			share[key] += 1 / float64(len(s.left))
		}
		adds[key] = t
	}
	out := []Blocker{}
	left := slices.Sorted(maps.Keys(found))
	for len(left) > 0 {
		best := 0
		for i := 1; i < len(left); i++ {
			if better(adds, share, left[i], left[best]) {
				best = i
			}
		}
		key := left[best]
		left = slices.Delete(left, best, best+1)
		b := found[key]
		b.Adds = adds[key]
		movable = movable.and(b.Adds)
		b.After = movable
		out = append(out, *b)
		for _, s := range waiting[key] {
			was := float64(len(s.left))
			delete(s.left, key)
			for other := range s.left {
				share[other] += 1/(was-1) - 1/was
				if len(s.left) == 1 {
					t := adds[other]
					t.add(s.row.workload)
					adds[other] = t
				}
			}
		}
	}
	return out
}

func (t Total) and(o Total) Total {
	return Total{t.Workloads + o.Workloads, t.Pods + o.Pods, t.plus(o.Resources)}
}

func better(adds map[string]Total, share map[string]float64, a, b string) bool {
	x, y := adds[a], adds[b]
	return cmp.Or(cmp.Compare(x.Workloads, y.Workloads), cmp.Compare(x.Cores, y.Cores), cmp.Compare(x.Memory, y.Memory), cmp.Compare(share[a], share[b])) > 0
}

// steps says what can move now, after the first 3 and 10 images, and after all.
func steps(now Total, ranked []Blocker) []Step {
	out := []Step{{0, now}}
	for _, n := range []int{3, 10, len(ranked)} {
		if n <= len(ranked) && n > out[len(out)-1].Images {
			out = append(out, Step{n, ranked[n-1].After})
		}
	}
	return out
}
