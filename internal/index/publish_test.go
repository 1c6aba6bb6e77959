package index_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

// tagPut reports whether a request moves a tag.
func tagPut(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") && !strings.Contains(r.URL.Path, "sha256:")
}

// slowly makes each request that moves a tag take a while, before it is
// carried out and after.
func slowly(g *imagetest.Registry, random *rand.Rand, most time.Duration) {
	var mu sync.Mutex
	g.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !tagPut(r) {
			return false
		}
		mu.Lock()
		before, after := rand.N(most+1), rand.N(most+1)
		if random != nil {
			before, after = time.Duration(random.Int64N(int64(most)+1)), time.Duration(random.Int64N(int64(most)+1))
		}
		mu.Unlock()
		time.Sleep(before / 2)
		g.Answer(w, r)
		time.Sleep(after / 2)
		return true
	}
}

// A signal at any moment, while a registry takes up to five seconds to move a
// tag, leaves no tag half moved.
func TestSignalsWhileTagsMove(t *testing.T) {
	s := scenarios(t)[1]
	want := s.clean(t, "")
	for n := range 200 {
		random := rand.New(rand.NewPCG(13, uint64(n)))
		s.prepare(t, "")
		slowly(s.at, random, time.Duration(n%6)*time.Second)
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancelCause(t.Context())
			at := time.Duration(random.Int64N(int64(16 * time.Second)))
			time.AfterFunc(at, func() { stop(errStopped) })
			_, err := s.run(ctx, t)
			if state := s.state(want); err == nil && state != "right" || err != nil && state != "old" {
				t.Errorf("run %d, stopped after %s: error %v, %s", n, at, err, state)
			}
		})
	}
}

// Two runs on the same tags end with all tags naming one index, or with an
// error that says which tag names what.
func TestTwoRunsOnTheSameTags(t *testing.T) {
	mixed := 0
	for n := range 100 {
		random := rand.New(rand.NewPCG(14, uint64(n)))
		s := scenarios(t)[1]
		s.prepare(t, "")
		refused := ""
		if n%2 == 0 {
			refused = s.tags[n/2%3]
		}
		var mu sync.Mutex
		var refusals int
		slowly(s.at, random, time.Duration(1+n%5)*time.Second)
		slow := s.at.Fault
		s.at.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			refuse := refusals == 0 && tagPut(r) && strings.HasSuffix(r.URL.Path, "/"+refused) && refused != ""
			if refuse {
				refusals++
			}
			mu.Unlock()
			if refuse { // one of the runs, once
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return slow(w, r)
		}
		var errs [2]error
		synctest.Test(t, func(t *testing.T) {
			network := imagetest.NewNetwork()
			defer network.Close()
			network.Serve(sourceHost, 100*time.Millisecond, s.at)
			var wg sync.WaitGroup
			var waits [2]time.Duration // drawn before a request draws
			for i := range waits {
				waits[i] = time.Duration(random.Int64N(int64(6 * time.Second)))
			}
			for i, wait := range waits {
				wg.Go(func() {
					time.Sleep(wait)
					_, errs[i] = index.Stitch(t.Context(), index.Job{
						Client: client(network), Sources: sources(sourceHost, 1+i, false), Verify: verify.Off,
						Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: s.tags,
					})
				})
			}
			wg.Wait()
		})
		names := map[string][]string{}
		for _, tag := range s.tags {
			d := s.at.Tag(s.repo, tag)
			if d == s.old[tag] {
				d = "old" // each its own
			}
			names[d] = append(names[d], tag)
		}
		if len(names) == 1 {
			continue
		}
		mixed++
		said := ""
		for _, err := range errs {
			if err != nil {
				said += err.Error() + "; " + strings.Join(exit.HintsOf(err), "; ")
			}
		}
		for d, tags := range names {
			for _, tag := range tags {
				if !strings.Contains(said, ":"+tag+" names") && !strings.Contains(said, ":"+tag+" does not exist") {
					t.Errorf("pair %d: %s names %s, which no error says: %s", n, tag, d, said)
				}
			}
		}
	}
	t.Logf("%d of 100 pairs ended mixed, and said so", mixed)
}

// What another run has moved meanwhile is not put back.
func TestOnlyOwnTagsArePutBack(t *testing.T) {
	s := scenarios(t)[1]
	s.prepare(t, "")
	var other string
	s.at.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !tagPut(r) || !strings.HasSuffix(r.URL.Path, "/latest") {
			return false
		}
		s.at.Fault = nil
		other = putOld(t, s.at, s.repo, "v1") // which another run moves just now
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	other = s.old["v1"]
	putOldAs(t, s.at, s.repo, "v1", "a run before")
	s.old["v1"] = s.at.Tag(s.repo, "v1")
	synctest.Test(t, func(t *testing.T) {
		_, err := s.run(t.Context(), t)
		hints := strings.Join(exit.HintsOf(err), "; ")
		if err == nil || !strings.Contains(hints, "app:v1 names "+short(other)+", which something else has put there") || strings.Contains(hints, "v1.2 names") {
			t.Errorf("error %v; %s", err, hints)
		}
	})
	if got := s.at.Tag(s.repo, "v1"); got != other {
		t.Errorf("v1 names %s, want %s", got, other)
	}
	if got := s.at.Tag(s.repo, "v1.2"); got != s.old["v1.2"] {
		t.Errorf("v1.2 names %s, want %s", got, s.old["v1.2"])
	}
}

func short(d string) string { return d[:len("sha256:")+12] }

// A tag that moved although every answer was lost, or was an error, has moved.
func TestAnswersThatAreLost(t *testing.T) {
	for _, kind := range []string{"lost", "done 504", "done 500"} {
		for _, s := range scenarios(t)[:2] {
			want := s.clean(t, "")
			s.prepare(t, "")
			(&imagetest.Fault{Kind: kind, First: 1, Only: tagPut}).On(s.at)
			synctest.Test(t, func(t *testing.T) {
				if _, err := s.run(t.Context(), t); err != nil {
					t.Errorf("%s, %s: %v", s.name, kind, err)
				}
			})
			if state := s.state(want); state != "right" {
				t.Errorf("%s, %s: %s", s.name, kind, state)
			}
		}
	}
}

// If a refusal is undone and all answers to that are lost, the error says that
// every tag names what it named before.
func TestUndoneWithLostAnswers(t *testing.T) {
	s := scenarios(t)[1]
	s.prepare(t, "")
	lost := &imagetest.Fault{Kind: "lost", First: 1, Only: func(r *http.Request) bool {
		return tagPut(r) || r.Method == http.MethodDelete
	}}
	lost.On(s.at)
	lose := s.at.Fault
	s.at.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if tagPut(r) && strings.HasSuffix(r.URL.Path, "/v1.2") && s.at.Tag(s.repo, "v1.2") == s.old["v1.2"] {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return lose(w, r)
	}
	synctest.Test(t, func(t *testing.T) {
		_, err := s.run(t.Context(), t)
		hints := strings.Join(exit.HintsOf(err), "; ")
		if err == nil || !strings.Contains(hints, "every tag names what it named before") || strings.Contains(hints, "moved back") {
			t.Errorf("error %v; %s", err, hints)
		}
	})
	if state := s.state("none"); state != "old" {
		t.Error(state)
	}
}

// Where tags cannot be deleted, those that exist move first, so that a refusal
// leaves nothing behind; a new one that stays is named.
func TestTagsThatCannotBeDeleted(t *testing.T) {
	for refused, want := range map[string]string{
		"v1":     "every tag names what it named before",
		"v1.2":   "every tag names what it named before",
		"latest": "every tag names what it named before",
		"new":    "latest could not be moved back: deleting",
	} {
		s := scenarios(t)[1]
		s.tags = append(tags(3), "new") // v1 and v1.2 exist, latest and new do not
		s.prepare(t, "")
		deleteOld(s, "latest")
		s.at.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/manifests/"):
				w.WriteHeader(http.StatusBadRequest)
			case tagPut(r) && strings.HasSuffix(r.URL.Path, "/"+refused):
				time.Sleep(time.Second)
				w.WriteHeader(http.StatusForbidden)
			default:
				return false
			}
			return true
		}
		synctest.Test(t, func(t *testing.T) {
			_, err := s.run(t.Context(), t)
			hints := strings.Join(exit.HintsOf(err), "; ")
			if refused == "latest" && strings.Contains(hints, "new could not be moved back") {
				return // they are put at once
			}
			if err == nil || !strings.Contains(hints, want) {
				t.Errorf("%s is refused: error %v; %s", refused, err, hints)
			}
		})
		for _, tag := range []string{"v1", "v1.2"} {
			if got := s.at.Tag(s.repo, tag); got != s.old[tag] {
				t.Errorf("%s is refused: %s names %s", refused, tag, got)
			}
		}
	}
}

// deleteOld removes a tag that prepare made.
func deleteOld(s *scenario, tag string) {
	r, err := http.NewRequest(http.MethodDelete, "/v2/"+s.repo+"/manifests/"+tag, http.NoBody)
	if err != nil {
		panic(err)
	}
	s.at.Answer(&discard{header: http.Header{}}, r)
	delete(s.old, tag)
}

// putOldAs is putOld with content of its own.
func putOldAs(t *testing.T, g *imagetest.Registry, repo, tag, text string) {
	t.Helper()
	body := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"text":%q}}`, text)
	r, err := http.NewRequest(http.MethodPut, "/v2/"+repo+"/manifests/"+tag, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	g.Answer(&discard{header: http.Header{}}, r)
}
