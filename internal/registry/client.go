package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/retry"
)

// Options say how to reach registries. The zero value reaches loopback over
// plain HTTP, everything else over TLS, without credentials.
type Options struct {
	Keychain  authn.Keychain
	Insecure  []string          // hosts, with their ports, that speak plain HTTP
	Transport http.RoundTripper // nil: NewTransport()
	UserAgent string
	Wait      time.Duration // how long a manifest that is 404 is asked for again
	Stall     time.Duration // how long nothing may arrive before a request is given up and sent again; 0: 30 s
	// Many says that many repositories are read in one run: the first request
	// to a host shows alone how it wants to be asked, a token serves some of the
	// repositories, and a limit of requests is waited for, however often.
	Many bool
	Logf func(format string, args ...any)

	sleep func(context.Context, time.Duration) error // of tests
}

// A Client talks to registries. It is safe for use by several goroutines.
type Client struct {
	o    Options
	http *http.Client

	reached sync.Map // registry → the reach of its address, see control

	mu       sync.Mutex
	hosts    map[string]*host
	sessions map[sessionKey]*session
	creds    map[Repository]authn.AuthConfig
	groups   map[Repository]int // of sessions
	grouped  map[sessionKey]int // repositories, by host and credential
	alone    map[Repository]int // those with a session of their own
}

// NewTransport returns a transport that keeps enough connections for all
// platforms of an image to be asked for at once.
func NewTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = newDialer().DialContext
	t.MaxIdleConnsPerHost = maxInFlight
	t.MaxIdleConns = 256
	t.MaxResponseHeaderBytes = 256 << 10 // many answers come at once
	t.DisableCompression = true          // a manifest's digest is over the bytes as they are stored
	return t
}

// New makes a client. It sends nothing yet.
func New(o Options) *Client {
	if o.Keychain == nil {
		o.Keychain = authn.NewMultiKeychain()
	}
	if o.Transport == nil {
		o.Transport = NewTransport()
	}
	if o.Stall == 0 {
		o.Stall = 30 * time.Second
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	if o.sleep == nil {
		o.sleep = retry.Wait
	}
	return &Client{
		o: o,
		http: &http.Client{
			Transport:     o.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // see follow
		},
		hosts:    map[string]*host{},
		sessions: map[sessionKey]*session{},
		creds:    map[Repository]authn.AuthConfig{},
		groups:   map[Repository]int{},
		grouped:  map[sessionKey]int{},
		alone:    map[Repository]int{},
	}
}

// A host is where a registry is reached.
type host struct {
	mu      sync.Mutex
	address string // host:port as the protocol needs it
	scheme  string
	guessed bool // http only because it is loopback: it may turn out to speak TLS

	challenge *challenge // that a session has met: the host wants Bearer tokens

	gate gate
	pace pace // of Options.Many
}

func (c *Client) host(name string) *host {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.hosts[name]
	if !ok {
		h = &host{address: name, scheme: "https"}
		switch {
		case name == dockerHub:
			h.address = "registry-1.docker.io"
		case c.insecure(name):
			h.scheme = "http"
		case loopback(name):
			h.scheme, h.guessed = "http", true
		}
		c.hosts[name] = h
	}
	return h
}

// insecure reports whether the user said that a host speaks plain HTTP.
func (c *Client) insecure(name string) bool {
	for _, i := range c.o.Insecure {
		if i == name || !strings.Contains(i, ":") && i == (&url.URL{Host: name}).Hostname() {
			return true
		}
	}
	return false
}

func (h *host) url(path string, query url.Values) *url.URL {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &url.URL{Scheme: h.scheme, Host: h.address, Path: path, RawQuery: query.Encode()}
}

// tls turns to TLS, if plain HTTP was only a guess. It reports whether the
// host is reached by TLS now: another request may have turned to it.
func (h *host) tls() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.guessed {
		h.scheme, h.guessed = "https", false
	}
	return h.scheme == "https"
}

// A request is what can be sent again: its body is made again each time.
type request struct {
	method string
	repo   Repository
	path   string // below /v2/PATH/; unused with at
	base   bool   // to /v2/ itself
	query  url.Values
	at     *url.URL // where an upload was told to go
	header http.Header
	body   func(context.Context) (io.ReadCloser, error) // nil: none
	size   int64                                        // of the body

	ok    []int // statuses that are a success
	wait  bool  // 404 may go away
	late  bool  // what it refers to may not have arrived everywhere
	mount bool  // something else can be done instead
	once  bool  // sending it again needs more than a new body
	// nested says that another request may be waiting for this one, so that it
	// must not wait for that one's place.
	nested bool
	read   func(*http.Response) error // takes the answer's body; nil drops it
	keep   bool                       // read closes the body, later

	token bool   // sent to a token service, not to the registry
	basic string // Authorization for the token service; may be empty
}

// Prepare gets a token for a host early, where a credential makes it likely
// that one is needed, so that the first request of the work proper does not
// wait for it. What goes wrong shows again there.
func (c *Client) Prepare(ctx context.Context, repo Repository) {
	s, err := c.session(ctx, repo)
	if err != nil || s.cred == (authn.AuthConfig{}) {
		return
	}
	a, err := s.authorize(ctx)
	if err != nil || !a.probe {
		return
	}
	defer a.done()
	err = c.send(ctx, request{method: http.MethodGet, repo: repo, base: true, ok: []int{200}}, s, a)
	var status *StatusError
	if errors.As(err, &status) && status.Status == http.StatusUnauthorized {
		if again, err := s.challenged(a, status.challenges); again && err == nil {
			s.authorize(ctx)
		}
	}
}

// do sends r until it succeeds, fails for good, or patience ends. What is
// being done is named by errors.
func (c *Client) do(ctx context.Context, r request) error {
	return c.again(ctx, r, func() error { return c.try(ctx, r) })
}

// again calls try, which sends r, as do describes.
func (c *Client) again(ctx context.Context, r request, try func() error) error {
	t := newTries(c.o)
	var last error // the last answer; an error that ends a wait is not one
	for {
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			if last != nil && errors.Is(err, context.Cause(ctx)) {
				err = last
			}
			return c.ended(ctx, err)
		}
		last = err
		pause, again := t.next(ctx, r, err)
		if c.o.Many && limited(err) {
			t.n-- // a limit is no fault
			again = retry.Fits(ctx, pause) && !c.host(r.repo.Host).pace.parched()
		}
		if !again {
			return err
		}
		c.o.Logf("%s %s: %v; trying again in %s", r.method, r.repo.Host, err, pause.Round(time.Millisecond))
		if limited(err) {
			if !c.o.Many { // else its pace holds it back
				c.host(r.repo.Host).gate.slow(pause) // all that goes there waits
			}
			continue
		}
		if e := c.o.sleep(ctx, pause); e != nil {
			return c.ended(ctx, err)
		}
	}
}

func (c *Client) ended(ctx context.Context, err error) error { return exit.Ended(ctx, err) }

// try sends r once, and once more for each challenge that can be met.
func (c *Client) try(ctx context.Context, r request) error {
	s, err := c.session(ctx, r.repo)
	if err != nil {
		return err
	}
	for challenges := 0; ; challenges++ {
		auth, err := s.authorize(ctx)
		if err != nil && exit.CodeOf(err) == exit.Denied && c.apart(s, r.repo) {
			return c.try(ctx, r)
		}
		if err != nil {
			return err
		}
		err = c.send(ctx, r, s, auth)
		var status *StatusError
		if errors.As(err, &status) && status.Status == http.StatusUnauthorized && challenges < 2 {
			if again, e := s.challenged(auth, status.challenges); e != nil {
				return e
			} else if again {
				continue
			}
		}
		auth.done()
		if status != nil && (status.Status == http.StatusUnauthorized || status.Status == http.StatusForbidden) && c.apart(s, r.repo) {
			return c.try(ctx, r)
		}
		return s.scrub(err)
	}
}

// send makes one exchange.
func (c *Client) send(ctx context.Context, r request, s *session, auth *authorization) error {
	h := c.host(r.repo.Host)
	to := r.at
	if to == nil {
		to = h.url("/v2/"+r.repo.Path+"/"+r.path, r.query)
		if r.base {
			to = h.url("/v2/", nil)
		}
	}
	ctx, watch := newWatch(ctx, c.o.Stall)
	home, header := h.url("", nil), auth.header
	if r.token {
		home, header = r.at, r.basic
	}
	resp, atHome, err := c.follow(ctx, r, to, home, header, watch)
	if err != nil {
		defer watch.stop()
		return watch.explain(err)
	}
	watch.timer.Stop()
	if resp.StatusCode != http.StatusUnauthorized {
		auth.done() // the host needs nothing else: others need not wait
	}
	resp.Body = &receiving{resp.Body, watch}
	if r.keep && slices.Contains(r.ok, resp.StatusCode) {
		return r.read(resp)
	}
	defer resp.Body.Close()
	if slices.Contains(r.ok, resp.StatusCode) {
		if r.read == nil {
			io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
			return nil
		}
		return r.read(resp)
	}
	status := newStatusError(resp)
	if !atHome {
		status.challenges = nil // no other host says how this one wants its credential
	}
	if status.plainToTLS() && r.at == nil && to.Scheme == "http" && h.tls() {
		resp.Body.Close() // its place is needed
		return c.send(ctx, r, s, auth)
	}
	return status
}

// bodyOf makes a request's body from bytes.
func bodyOf(b []byte) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}
