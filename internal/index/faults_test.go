// Longer than 350 lines: one table of faults and what must hold after each.

package index_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/index"
	"github.com/polyarch/polyarch/internal/registry"
	"github.com/polyarch/polyarch/internal/verify"
)

// A scenario is one way to stitch, of which every request is made to fail.
type scenario struct {
	name     string
	tags     []string
	to       string // the host
	repo     string
	from, at *imagetest.Registry // at is where the index goes, the same as from or another
	old      map[string]string   // what the tags name before

	keep      bool // no platform may be lost
	evidence  bool // files are attached and a gate is asked
	fallback  bool // the registry does not list what refers to a manifest
	unfounded []string
}

func scenarios(t *testing.T) []*scenario {
	t.Helper()
	var all []*scenario
	for _, s := range []scenario{
		{name: "one tag", tags: tags(1), to: sourceHost, repo: "app", keep: true},
		{name: "three tags", tags: tags(3), to: sourceHost, repo: "app"},
		{name: "another repository", tags: tags(1), to: sourceHost, repo: "copy"},
		{name: "another registry", tags: tags(3), to: targetHost, repo: "copy"},
		{name: "evidence", tags: tags(1), to: sourceHost, repo: "app", evidence: true},
		{name: "evidence listed by tags", tags: tags(1), to: sourceHost, repo: "app", evidence: true, fallback: true},
		{name: "evidence in another registry", tags: tags(1), to: targetHost, repo: "copy", evidence: true},
	} {
		all = append(all, &s)
	}
	return all
}

// prepare makes new registries, with tags that name something else.
func (s *scenario) prepare(t *testing.T, auth string) {
	s.from = filled(t, 2)
	s.at = s.from
	if s.to != sourceHost {
		s.at = imagetest.NewRegistry()
	}
	s.old, s.unfounded = map[string]string{}, nil
	s.at.NoReferrers = s.fallback
	for n, tag := range s.tags {
		if n == len(s.tags)-1 && n > 0 {
			continue // one of several tags does not exist yet
		}
		s.old[tag] = putOld(t, s.at, s.repo, tag)
	}
	s.from.Auth, s.at.Auth = auth, auth
	s.from.Reset()
	s.at.Reset()
}

// run stitches on a network of its own.
func (s *scenario) run(ctx context.Context, t *testing.T) (*index.Result, error) {
	t.Helper()
	network := imagetest.NewNetwork()
	defer network.Close()
	network.Serve(sourceHost, trip, s.from)
	if s.to != sourceHost {
		network.Serve(targetHost, trip, s.at)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	j := index.Job{
		Client: client(network), Sources: sources(sourceHost, 2, false), Verify: verify.Entrypoint,
		Target: registry.Repository{Host: s.to, Path: s.repo}, Tags: s.tags, KeepPlatforms: s.keep,
	}
	if s.evidence {
		j.Sources = j.Sources[:1] // for fewer requests to fail: each has many files
		j.Attach = attachments(1)
		j.Gate = func(_ context.Context, r *index.Result) error {
			s.unfounded = append(s.unfounded, lacks(s.at, s.repo, r.Index.Digest.String(), s.fallback)...)
			return nil
		}
	}
	return index.Stitch(ctx, j)
}

// state says what the tags name: "right", "old", or what else. A tag that names
// an index without its evidence is never right, nor is a gate that was asked
// about one.
func (s *scenario) state(want string) string {
	if len(s.unfounded) > 0 {
		return "the gate was asked before " + strings.Join(s.unfounded, ", ")
	}
	for _, tag := range s.tags {
		if s.evidence && s.at.Tag(s.repo, tag) == want {
			if missing := lacks(s.at, s.repo, want, s.fallback); missing != nil {
				return tag + " names an index that lacks " + strings.Join(missing, ", ")
			}
		}
	}
	states := map[string]bool{}
	var detail []string
	for _, tag := range s.tags {
		one := s.at.Tag(s.repo, tag)
		switch one {
		case want:
			one = "right"
		case s.old[tag]:
			one = "old"
		}
		states[one] = true
		detail = append(detail, tag+" is "+one)
	}
	switch {
	case len(states) == 1 && states["right"]:
		return "right"
	case len(states) == 1 && states["old"]:
		return "old"
	}
	return strings.Join(detail, ", ")
}

// clean runs without faults and returns the digest.
func (s *scenario) clean(t *testing.T, auth string) (want string) {
	t.Helper()
	s.prepare(t, auth)
	synctest.Test(t, func(t *testing.T) {
		r, err := s.run(t.Context(), t)
		if err != nil {
			t.Fatal(err)
		}
		want = r.Index.Digest.String()
	})
	return want
}

func putOld(t *testing.T, g *imagetest.Registry, repo, tag string) string {
	t.Helper()
	body := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"tag":"` + tag + `"}}`
	w := &discard{header: http.Header{}}
	r, err := http.NewRequest(http.MethodPut, "/v2/"+repo+"/manifests/"+tag, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	g.Answer(w, r)
	d := g.Tag(repo, tag)
	if d == "" {
		t.Fatalf("storing %s: status %d", tag, w.status)
	}
	return d
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// Whatever goes wrong temporarily with any one request, the index is right in
// the end.
func TestOneFaultIsOvercome(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			want := s.clean(t, "bearer")
			for _, kind := range imagetest.Transient {
				for _, at := range []string{"from", "at"} {
					if at == "at" && s.to == sourceHost {
						continue
					}
					for n := 1; ; n++ {
						s.prepare(t, "bearer")
						g := s.from
						if at == "at" {
							g = s.at
						}
						f := &imagetest.Fault{Kind: kind, First: n, Count: 1}
						f.On(g)
						synctest.Test(t, func(t *testing.T) {
							r, err := s.run(t.Context(), t)
							if err != nil {
								t.Errorf("%s of request %d: %v", kind, n, err)
							} else if got := r.Index.Digest.String(); got != want || s.state(want) != "right" {
								t.Errorf("%s of request %d: digest %s, %s", kind, n, got, s.state(want))
							}
						})
						if f.Hits() == 0 {
							if n < 5 {
								t.Errorf("only %d requests were made to fail", n-1)
							}
							break
						}
					}
				}
			}
		})
	}
}

// When a registry fails for good from some request on, every tag is right or
// every tag is what it was.
func TestAFailureForGoodChangesNothing(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			want := s.clean(t, "bearer")
			for _, kind := range []string{"500", "403", "refused"} {
				for n := 1; ; n++ {
					s.prepare(t, "bearer")
					f := &imagetest.Fault{Kind: kind, First: n}
					f.On(s.at)
					var err error
					synctest.Test(t, func(t *testing.T) { _, err = s.run(t.Context(), t) })
					if f.Hits() == 0 {
						if err != nil {
							t.Error(err)
						}
						if n < 5 {
							t.Errorf("only %d requests were made to fail", n-1)
						}
						break
					}
					switch state := s.state(want); {
					case err == nil && state != "right":
						t.Errorf("%s from request %d on: no error, and %s", kind, n, state)
					case err != nil && state != "old" && !strings.Contains(strings.Join(exit.HintsOf(err), "; "), "could not be moved back"):
						t.Errorf("%s from request %d on: %v; %s", kind, n, err, state)
					case err != nil && kind == "403" && exit.CodeOf(err) != exit.Denied:
						t.Errorf("%s from request %d on: exit code %d", kind, n, exit.CodeOf(err))
					case err != nil && kind != "403" && exit.CodeOf(err) != exit.Unreachable:
						t.Errorf("%s from request %d on: exit code %d: %v", kind, n, exit.CodeOf(err), err)
					}
				}
			}
		})
	}
}

// A tag that the registry refuses takes those that have moved back with it.
func TestARefusedTag(t *testing.T) {
	for _, status := range []string{"403", "400", "409"} {
		for _, tag := range tags(3) {
			s := scenarios(t)[1]
			s.prepare(t, "")
			f := &imagetest.Fault{Kind: status, First: 1, Only: func(r *http.Request) bool {
				return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/"+tag)
			}}
			f.On(s.at)
			synctest.Test(t, func(t *testing.T) {
				_, err := s.run(t.Context(), t)
				if err == nil || !strings.Contains(err.Error(), "/app:"+tag+": "+status) {
					t.Errorf("%s for %s: error %v", status, tag, err)
				}
				if hints := strings.Join(exit.HintsOf(err), "; "); !strings.Contains(hints, "every tag names what it named before") {
					t.Errorf("%s for %s: hints %q", status, tag, hints)
				}
			})
			for _, one := range s.tags {
				if got := s.at.Tag(s.repo, one); got != s.old[one] {
					t.Errorf("%s for %s: %s has moved from %q to %q", status, tag, one, s.old[one], got)
				}
			}
		}
	}
}

// A registry with immutable tags accepts the same run twice.
func TestImmutableTags(t *testing.T) {
	for n, s := range scenarios(t)[:2] {
		s.prepare(t, "")
		synctest.Test(t, func(t *testing.T) {
			if _, err := s.run(t.Context(), t); err != nil {
				t.Fatal(err)
			}
		})
		f := &imagetest.Fault{Kind: "400", First: 1, Only: func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") && !strings.Contains(r.URL.Path, "sha256:")
		}}
		f.On(s.at)
		synctest.Test(t, func(t *testing.T) {
			if _, err := s.run(t.Context(), t); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
		})
		// Its only tag is moved by the request that stores the index; of several
		// none is moved that is right already.
		if want := []int{1, 0}[n]; f.Hits() != want {
			t.Errorf("%s: %d requests were refused, want %d", s.name, f.Hits(), want)
		}
	}
}

// A source that is 404 for a moment after its push is waited for, and no
// longer than asked for.
func TestASourceThatAppearsLate(t *testing.T) {
	for _, c := range []struct {
		wait time.Duration
		ok   bool
	}{{20 * time.Second, true}, {0, false}, {time.Second, false}} {
		g := filled(t, 2)
		synctest.Test(t, func(t *testing.T) {
			network := imagetest.NewNetwork()
			defer network.Close()
			appears := time.Now().Add(4 * time.Second)
			f := &imagetest.Fault{Kind: "404", First: 1, Only: func(r *http.Request) bool {
				return strings.HasSuffix(r.URL.Path, "/manifests/linux_arm64") && time.Now().Before(appears)
			}}
			f.On(g)
			network.Serve(sourceHost, 0, g)
			cl := registry.New(registry.Options{Insecure: []string{sourceHost}, Transport: network.Transport(), Wait: c.wait})
			started := time.Now()
			_, err := index.Stitch(t.Context(), index.Job{
				Client: cl, Sources: sources(sourceHost, 2, false), Verify: verify.Off,
				Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(1),
			})
			if (err == nil) != c.ok || err != nil && !registry.NotFound(err) {
				t.Errorf("waiting %s: error %v", c.wait, err)
			}
			if took := time.Since(started); took > c.wait {
				t.Errorf("waiting %s took %s", c.wait, took)
			}
		})
	}
}

// The time limit holds, whatever a registry asks for.
func TestTheTimeLimit(t *testing.T) {
	for _, kind := range []string{"silent", "429", "stalled"} {
		g := filled(t, 1)
		(&imagetest.Fault{Kind: kind, First: 1}).On(g)
		synctest.Test(t, func(t *testing.T) {
			network := imagetest.NewNetwork()
			defer network.Close()
			network.Serve(sourceHost, 0, g)
			cl := registry.New(registry.Options{Insecure: []string{sourceHost}, Transport: network.Transport()})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			started := time.Now()
			_, err := index.Stitch(ctx, index.Job{
				Client: cl, Sources: sources(sourceHost, 1, false),
				Target: registry.Repository{Host: sourceHost, Path: "app"}, Tags: tags(1),
			})
			if err == nil || exit.CodeOf(err) != exit.Unreachable {
				t.Errorf("%s: error %v (exit code %d)", kind, err, exit.CodeOf(err))
			}
			if took := time.Since(started); took > 5*time.Second {
				t.Errorf("%s: it took %s", kind, took)
			}
		})
	}
}

var errStopped = errors.New("stopped by a signal: terminated")

// Stopped at any moment, it leaves every tag right or every tag as it was, and
// is done soon.
func TestStoppedAtAnyMoment(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			want := s.clean(t, "")
			for step := range 100 {
				s.prepare(t, "")
				finished := false
				synctest.Test(t, func(t *testing.T) {
					ctx, stop := context.WithCancelCause(t.Context())
					var stopped time.Time
					at := time.Duration(step) * trip / 4
					time.AfterFunc(at, func() { stopped = time.Now(); stop(errStopped) })
					_, err := s.run(ctx, t)
					if stopped.IsZero() {
						finished = err == nil
						return
					}
					if took := time.Since(stopped); took > 5*time.Second {
						t.Errorf("stopped after %s: it went on for %s", at, took)
					}
					if state := s.state(want); err == nil && state != "right" || err != nil && state != "old" && !(len(s.tags) == 1 && state == "right") {
						t.Errorf("stopped after %s: error %v, %s", at, err, state)
					}
				})
				if finished {
					return
				}
			}
			t.Error("it never finishes")
		})
	}
}
