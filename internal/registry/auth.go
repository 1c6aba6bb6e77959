package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/polyarch/polyarch/internal/exit"
)

// A session is all that is known about one credential at one host: how the
// host wants it shown, and the token it was exchanged for.
//
// If there is a credential, the first request goes alone: its answer shows
// whether and how the host asks for it, so that the others need not be sent
// twice. Without one, nothing waits.
type session struct {
	client *Client
	host   *host
	name   string // the host as users write it
	cred   authn.AuthConfig

	mu         sync.Mutex
	scopes     []string
	scheme     scheme
	challenge  challenge // of a Bearer host
	token      string
	expires    time.Time
	issued     []string // every token, for scrub
	failed     error    // of the last exchange; nil if it went well
	failedAt   time.Time
	generation int           // counts challenges and tokens
	busy       chan struct{} // closed when the probe or the exchange that others wait for is over
}

type scheme int

const (
	unknown scheme = iota
	open           // it answers without a credential
	basic
	bearer
)

type sessionKey struct {
	host  string
	cred  authn.AuthConfig
	group int
}

// Expect says what is going to be done in a repository ("pull", "push"), so that
// the first token a host is asked for serves all of it.
func (c *Client) Expect(ctx context.Context, repo Repository, actions ...string) error {
	s, err := c.session(ctx, repo)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addScope("repository:" + repo.Path + ":" + strings.Join(actions, ","))
	return nil
}

// addScope merges the actions for one resource, as "repository:a:pull,push".
func (s *session) addScope(scope string) (added bool) {
	i := strings.LastIndexByte(scope, ':')
	if i < 0 {
		return false
	}
	resource, actions := scope[:i+1], strings.Split(scope[i+1:], ",")
	for n, have := range s.scopes {
		if rest, ok := strings.CutPrefix(have, resource); ok && !strings.Contains(rest, ":") {
			all := append(strings.Split(rest, ","), actions...)
			slices.Sort(all)
			merged := resource + strings.Join(slices.Compact(all), ",")
			s.scopes[n] = merged
			return merged != have
		}
	}
	slices.Sort(actions)
	s.scopes = append(s.scopes, resource+strings.Join(slices.Compact(actions), ","))
	slices.Sort(s.scopes)
	return true
}

func (c *Client) session(ctx context.Context, repo Repository) (*session, error) {
	c.mu.Lock()
	cred, ok := c.creds[repo]
	c.mu.Unlock()
	if !ok {
		var err error
		if cred, err = resolve(ctx, c.o.Keychain, repo); err != nil {
			return nil, err
		}
	}
	h := c.host(repo.Host)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.creds[repo] = cred
	key := sessionKey{repo.Host, cred, c.group(repo, cred)}
	s, ok := c.sessions[key]
	if !ok {
		s = &session{client: c, host: h, name: repo.Host, cred: cred}
		if key.group < 0 {
			s.addScope("repository:" + repo.Path + ":pull")
		}
		c.sessions[key] = s
	}
	return s, nil
}

// An authorization is how one request is sent.
type authorization struct {
	header     string
	generation int
	probe      bool
	s          *session
}

// done releases the requests that wait for what this one shows.
func (a *authorization) done() {
	if !a.probe {
		return
	}
	a.probe = false
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	if a.s.scheme == unknown {
		a.s.scheme = open
	}
	a.s.release()
}

func (s *session) release() {
	close(s.busy)
	s.busy = nil
}

// authorize returns the header for a request: it waits for a probe that is under
// way, and exchanges the credential for a token where one is needed.
func (s *session) authorize(ctx context.Context) (*authorization, error) {
	for {
		s.mu.Lock()
		if wait := s.busy; wait != nil {
			s.mu.Unlock()
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		if s.scheme == unknown && s.client.o.Many {
			s.learn()
		}
		a := &authorization{generation: s.generation, s: s}
		switch {
		case s.scheme == unknown && (s.cred != (authn.AuthConfig{}) || s.client.o.Many):
			s.busy = make(chan struct{})
			a.probe = true
		case s.scheme == basic:
			a.header = "Basic " + s.basicAuth()
		case s.scheme == bearer && s.token != "" && time.Now().Before(s.expires):
			a.header = "Bearer " + s.token
		case s.scheme == bearer && s.failed != nil && time.Since(s.failedAt) < failedFor:
			defer s.mu.Unlock()
			return nil, s.failed
		case s.scheme == bearer:
			s.busy = make(chan struct{})
			s.mu.Unlock()
			token, expires, err := s.exchange(ctx)
			s.mu.Lock()
			s.release()
			if s.failed = nil; err != nil {
				if ctx.Err() == nil {
					s.failed, s.failedAt = err, time.Now()
				}
				s.mu.Unlock()
				return nil, err
			}
			s.token, s.expires = token, expires
			s.issued = append(s.issued, token)
			s.generation++
			a.header, a.generation = "Bearer "+token, s.generation
		}
		s.mu.Unlock()
		return a, nil
	}
}

// failedFor is how long a failure of a token service counts for all requests:
// it has been retried already.
const failedFor = 10 * time.Second

// challenged takes in a 401. It reports whether sending the request again can
// help.
func (s *session) challenged(a *authorization, cs []challenge) (again bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.probe {
		a.probe = false
		defer s.release()
	}
	if a.generation != s.generation { // another request has met it already
		return true, nil
	}
	for _, c := range cs {
		switch {
		case c.scheme == "bearer" && c.params["realm"] != "":
			added := false
			for _, scope := range strings.Fields(c.params["scope"]) {
				added = s.addScope(scope) || added
			}
			// With a token that was good when the request was sent, only a
			// scope it lacked or its end explain the refusal.
			if a.header != "" && !added && c.params["error"] == "insufficient_scope" {
				return false, nil
			}
			s.scheme, s.challenge, s.token = bearer, c, ""
			s.generation++
			s.host.mu.Lock()
			s.host.challenge = &c
			s.host.mu.Unlock()
			return true, nil
		case c.scheme == "basic" && s.scheme != basic && (s.cred.Username != "" || s.cred.Auth != ""):
			s.scheme = basic
			s.generation++
			return true, nil
		}
	}
	return false, nil
}

func (s *session) basicAuth() string {
	if s.cred.Auth != "" && s.cred.Username == "" {
		return s.cred.Auth
	}
	return base64.StdEncoding.EncodeToString([]byte(s.cred.Username + ":" + s.cred.Password))
}

// exchange asks the host's token service for a token with every scope
// (distribution.github.io/distribution/spec/auth/token and /oauth).
func (s *session) exchange(ctx context.Context) (token string, expires time.Time, err error) {
	if s.cred.RegistryToken != "" {
		return s.cred.RegistryToken, time.Now().Add(24 * time.Hour), nil
	}
	s.mu.Lock()
	c, scopes := s.challenge, slices.Clone(s.scopes)
	s.mu.Unlock()
	realm, err := url.Parse(c.params["realm"])
	if err == nil {
		err = s.client.trusted(s.name, realm)
	}
	if err != nil {
		return "", expires, exit.Deniedf("getting a token for %s: its token service: %w", s.name, err)
	}
	q := realm.Query()
	if v := c.params["service"]; v != "" {
		q.Set("service", v)
	}
	r := request{method: http.MethodGet, repo: Repository{Host: s.name}, at: realm, token: true, ok: []int{200}, header: http.Header{}}
	if s.cred.IdentityToken != "" {
		q.Set("grant_type", "refresh_token")
		q.Set("refresh_token", s.cred.IdentityToken)
		q.Set("client_id", "polyarch")
		q.Set("scope", strings.Join(scopes, " "))
		r.method, r.body = http.MethodPost, bodyOf([]byte(q.Encode()))
		r.size = int64(len(q.Encode()))
		r.header.Set("Content-Type", "application/x-www-form-urlencoded")
		realm.RawQuery = ""
	} else {
		q["scope"] = scopes
		realm.RawQuery = q.Encode()
		if s.cred.Username != "" || s.cred.Auth != "" {
			r.basic = "Basic " + s.basicAuth()
		}
	}
	var answer struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	asked := time.Now()
	r.read = func(resp *http.Response) error {
		return json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer)
	}
	err = s.client.doToken(ctx, s, r)
	if err == nil && answer.Token == "" {
		answer.Token = answer.AccessToken
	}
	if err == nil && (answer.Token == "" || strings.ContainsAny(answer.Token, "\r\n")) {
		err = errors.New("the answer holds none")
	}
	if err != nil {
		err = Explain(fmt.Sprintf("getting a token for %s from %s", s.name, realm.Host), s.name, s.scrub(err))
		if status := (*StatusError)(nil); errors.As(err, &status) { // which is not an answer to what was asked of the registry
			err = &exit.Error{Code: exit.CodeOf(err), Err: errors.New(err.Error()), Hints: exit.HintsOf(err)}
		}
		return "", expires, final{err}
	}
	if answer.ExpiresIn <= 0 {
		answer.ExpiresIn = 60 // the specification's default
	}
	lifetime := time.Duration(answer.ExpiresIn) * time.Second
	return answer.Token, asked.Add(lifetime - lifetime/10), nil
}

// doToken is do without a session: a token service is asked with what r has.
func (c *Client) doToken(ctx context.Context, s *session, r request) error {
	return c.again(ctx, r, func() error { return c.send(ctx, r, s, &authorization{s: s}) })
}

// scrub takes the credential out of an error: a registry may send back what it
// was sent.
func (s *session) scrub(err error) error {
	var status *StatusError
	if !errors.As(err, &status) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status.scrub(append([]string{s.basicAuth(), s.cred.Auth, s.cred.Password, s.cred.IdentityToken, s.cred.RegistryToken}, s.issued...))
	return err
}
