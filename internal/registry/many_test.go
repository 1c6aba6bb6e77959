package registry_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/registry"
)

// A limiter answers 429 to what is more than its rate.
type limiter struct {
	rate, burst float64 // a second, and how many at once
	window      bool    // a fixed window of a second instead of a bucket
	counts      bool    // what is refused counts as well
	retryAfter  string
	remaining   bool // ratelimit-remaining is sent

	mu      sync.Mutex
	tokens  float64
	at      time.Time
	refused int
}

func (l *limiter) take(w http.ResponseWriter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch {
	case l.at.IsZero():
		l.tokens = l.burst
	case l.window && now.Truncate(time.Second) != l.at.Truncate(time.Second):
		l.tokens = l.rate
	case !l.window:
		l.tokens = min(l.burst, l.tokens+l.rate*now.Sub(l.at).Seconds())
	}
	l.at = now
	ok := l.tokens >= 1
	if ok || l.counts {
		l.tokens = max(l.tokens-1, -l.burst)
	}
	if l.remaining {
		w.Header().Set("RateLimit-Remaining", fmt.Sprintf("%d;w=1", int(max(0, l.tokens))))
	}
	if !ok {
		l.refused++
		if l.retryAfter != "" {
			w.Header().Set("Retry-After", l.retryAfter)
		}
		w.WriteHeader(http.StatusTooManyRequests)
	}
	return ok
}

// However a host limits its rate, every manifest is read in the end, and it
// takes hardly longer than the limit demands.
func TestManyUnderALimit(t *testing.T) {
	const images, rate = 400, 20.0
	for name, l := range map[string]*limiter{
		"bucket":                        {burst: 20},
		"bucket, Retry-After":           {burst: 20, retryAfter: "1"},
		"bucket of one":                 {burst: 1},
		"bucket of one, Retry-After":    {burst: 1, retryAfter: "1"},
		"bucket of five":                {burst: 5},
		"bucket of five, Retry-After":   {burst: 5, retryAfter: "1"},
		"window":                        {window: true, burst: rate},
		"window, Retry-After":           {window: true, burst: rate, retryAfter: "1"},
		"refusals count":                {burst: 20, counts: true},
		"refusals count, Retry-After":   {burst: 20, counts: true, retryAfter: "1"},
		"it says what remains":          {burst: 20, remaining: true, retryAfter: "1"},
		"it says what remains, of five": {burst: 5, remaining: true},
	} {
		t.Run(name, func(t *testing.T) {
			l.rate = rate
			g := imagetest.NewRegistry()
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !l.take(w) {
					return
				}
				g.ServeHTTP(w, r)
			})
			if _, err := imagetest.App("linux/amd64", "amd64", "a").Push("registry.test/a:1", remote.WithTransport(g)); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				network := imagetest.NewNetwork()
				network.Serve("registry.test", 10*time.Millisecond, h)
				transport := network.Transport()
				c := registry.New(registry.Options{Insecure: []string{"registry.test"}, Transport: transport, Many: true})
				started := time.Now()
				var wait sync.WaitGroup
				slots := make(chan bool, 32)
				for range images {
					slots <- true
					wait.Go(func() {
						defer func() { <-slots }()
						ref, err := registry.ParseReference("registry.test/a:1")
						if err == nil {
							_, err = c.Manifest(t.Context(), ref)
						}
						if err != nil {
							t.Error(err)
						}
					})
				}
				wait.Wait()
				took := time.Since(started)
				most := time.Duration(1.2 * images / rate * float64(time.Second))
				t.Logf("%s, %d refused", took.Round(time.Millisecond), l.refused)
				if took > most {
					t.Errorf("%s, more than %s; %d were refused", took, most, l.refused)
				}
				transport.CloseIdleConnections()
				network.Close()
			})
		})
	}
}

// A hundred repositories take a token for each forty of them, and one that the
// token service does not grant spoils nothing.
func TestManyTokens(t *testing.T) {
	g := imagetest.NewRegistry()
	g.Auth, g.Password = "bearer", canary
	inner := g.Fault
	g.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" && strings.Contains(strings.Join(r.URL.Query()["scope"], " "), "secret:pull") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return inner != nil && inner(w, r)
	}
	cred := authn.AuthConfig{Username: "user", Password: canary}
	for _, secret := range []bool{false, true} {
		g.Reset()
		onNetwork(t, g, cred, func(t *testing.T, c *registry.Client) {
			c = registry.Many(c)
			var repos []registry.Repository
			for n := range 100 {
				repos = append(repos, registry.Repository{Host: "registry.test", Path: fmt.Sprint("r", n)})
			}
			if secret {
				repos[7].Path = "secret"
			}
			for _, r := range repos {
				if err := c.Expect(t.Context(), r, "pull"); err != nil {
					t.Fatal(err)
				}
			}
			var wait sync.WaitGroup
			for n, r := range repos {
				wait.Go(func() {
					_, err := c.Manifest(t.Context(), r.Tag("1"))
					if want := secret && n == 7; want != (exit.CodeOf(err) == exit.Denied) || !want && !registry.NotFound(err) {
						t.Errorf("%s: %v", r, err)
					}
				})
			}
			wait.Wait()
		})
		tokens, refused := 0, 0
		for _, r := range g.Requests() {
			if r.Path == "/token" {
				tokens++
			} else if r.Status == http.StatusUnauthorized {
				refused++
			}
		}
		if most := map[bool]int{false: 3, true: 50}[secret]; tokens > most || refused > 4 {
			t.Errorf("%d tokens, %d refusals", tokens, refused)
		}
	}
}
