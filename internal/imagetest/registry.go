package imagetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// A Registry is go-containerregistry's in-memory registry with what it lacks:
// blobs belong to a repository and can be mounted from another, a credential
// may be asked for, and all requests are kept.
type Registry struct {
	Auth     string        // "", "basic" or "bearer"
	User     string        // "user"
	Password string        // "password"
	Identity string        // an identity token that is taken instead of a password
	Lifetime time.Duration // of tokens; 0: five minutes
	Realm    string        // of the token service; empty: this registry's own
	NoMount  bool          // mounts begin an upload instead
	// NoReferrers has it know nothing of what refers to a manifest.
	NoReferrers bool

	// Fault handles a request in place of the registry if it returns true.
	Fault func(w http.ResponseWriter, r *http.Request) bool

	inner http.Handler

	mu       sync.Mutex
	requests []Request
	blobs    map[string]bool // repository@digest
	uploads  map[string]string
	tokens   map[string]grant
}

// A Request is one that was answered.
type Request struct {
	Method, Path, Query string
	Status              int
	Authorization       string
	Bytes               int64 // of its body
}

type grant struct {
	scopes string
	ends   time.Time
}

// NewRegistry makes an empty registry.
func NewRegistry() *Registry {
	return &Registry{
		User: "user", Password: "password",
		inner:   registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)),
		blobs:   map[string]bool{},
		uploads: map[string]string{},
		tokens:  map[string]grant{},
	}
}

// Requests returns the requests since the last call of Reset.
func (g *Registry) Requests() []Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Request{}, g.requests...)
}

// Reset forgets the requests.
func (g *Registry) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests = nil
}

// ServeHTTP answers as a registry.
func (g *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := &countingBody{ReadCloser: r.Body}
	r.Body = body
	sw := &statusWriter{ResponseWriter: w, status: 200}
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.requests = append(g.requests, Request{r.Method, r.URL.Path, r.URL.RawQuery, sw.status, r.Header.Get("Authorization"), body.n})
	}()
	if g.Fault == nil || !g.Fault(sw, r) {
		g.Answer(sw, r)
	}
}

// Answer answers as the registry does when nothing goes wrong.
func (g *Registry) Answer(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/token":
		g.token(w, r)
	case !g.allowed(r):
		g.challenge(w, r)
	default:
		g.serve(w, r)
	}
}

func (g *Registry) serve(w http.ResponseWriter, r *http.Request) {
	// The registry inside reads a body while it holds a lock, which on a
	// synctest clock must not wait for a network.
	b, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	repo, rest, ok := splitPath(r.URL.Path)
	if strings.HasPrefix(rest, "referrers/") && g.NoReferrers {
		writeError(w, http.StatusNotFound, "UNSUPPORTED", "no such API")
		return
	}
	var m struct{ Subject struct{ Digest string } }
	if r.Method == http.MethodPut && strings.HasPrefix(rest, "manifests/") && !g.NoReferrers && json.Unmarshal(b, &m) == nil && m.Subject.Digest != "" {
		w.Header().Set("OCI-Subject", m.Subject.Digest)
	}
	if !ok || !strings.HasPrefix(rest, "blobs/") {
		g.inner.ServeHTTP(w, r)
		return
	}
	digest := strings.TrimPrefix(rest, "blobs/")
	q := r.URL.Query()
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case strings.HasPrefix(rest, "blobs/uploads/"):
		if from := q.Get("from") + "@" + q.Get("mount"); r.Method == http.MethodPost && g.blobs[from] && !g.NoMount {
			g.blobs[repo+"@"+q.Get("mount")] = true
			w.Header().Set("Location", "/v2/"+repo+"/blobs/"+q.Get("mount"))
			w.WriteHeader(http.StatusCreated)
			return
		}
		g.mu.Unlock()
		sw := &statusWriter{ResponseWriter: w, status: 200}
		if r.Method == http.MethodDelete { // which the inner registry does not know
			sw.WriteHeader(http.StatusNoContent)
		} else {
			r.URL.RawQuery = "" // so that a mount begins an upload
			if d := q.Get("digest"); d != "" {
				r.URL.RawQuery = "digest=" + d
			}
			g.inner.ServeHTTP(sw, r)
		}
		g.mu.Lock()
		if sw.status == http.StatusCreated {
			g.blobs[repo+"@"+q.Get("digest")] = true
		}
	case !g.blobs[repo+"@"+digest]:
		writeError(w, http.StatusNotFound, "BLOB_UNKNOWN", "no such blob in "+repo)
	default:
		g.mu.Unlock()
		g.inner.ServeHTTP(w, r)
		g.mu.Lock()
	}
}

// splitPath splits /v2/REPO/KIND/NAME.
func splitPath(p string) (repo, rest string, ok bool) {
	p, ok = strings.CutPrefix(p, "/v2/")
	for _, kind := range []string{"/manifests/", "/blobs/", "/referrers/"} {
		if i := strings.Index(p, kind); ok && i > 0 {
			return p[:i], p[i+1:], true
		}
	}
	return "", "", false
}

func (g *Registry) allowed(r *http.Request) bool {
	header := r.Header.Get("Authorization")
	switch g.Auth {
	case "basic":
		return header == "Basic "+base64.StdEncoding.EncodeToString([]byte(g.User+":"+g.Password))
	case "bearer":
		g.mu.Lock()
		defer g.mu.Unlock()
		t, ok := g.tokens[strings.TrimPrefix(header, "Bearer ")]
		if !ok || time.Now().After(t.ends) {
			return false
		}
		for _, scope := range needed(r) {
			resource, action := scope[:strings.LastIndex(scope, ":")+1], scope[strings.LastIndex(scope, ":")+1:]
			granted := false
			for s := range strings.FieldsSeq(t.scopes) {
				if actions, ok := strings.CutPrefix(s, resource); ok && strings.Contains(","+actions+",", ","+action+",") {
					granted = true
				}
			}
			if !granted {
				return false
			}
		}
	}
	return true
}

// needed returns the scopes of a request.
func needed(r *http.Request) []string {
	repo, _, ok := splitPath(r.URL.Path)
	if !ok {
		return nil
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return []string{"repository:" + repo + ":pull"}
	}
	scopes := []string{"repository:" + repo + ":push"}
	if from := r.URL.Query().Get("from"); from != "" {
		scopes = append(scopes, "repository:"+from+":pull")
	}
	return scopes
}

func (g *Registry) challenge(w http.ResponseWriter, r *http.Request) {
	switch g.Auth {
	case "basic":
		w.Header().Set("WWW-Authenticate", `Basic realm="test, with a comma"`)
	case "bearer":
		realm := g.Realm
		if realm == "" {
			realm = "http://" + r.Host + "/token"
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="test",scope=%q`, realm, strings.Join(needed(r), " ")))
	}
	writeError(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
}

func (g *Registry) token(w http.ResponseWriter, r *http.Request) {
	user, password, ok := r.BasicAuth()
	ok = ok && user == g.User && password == g.Password
	if r.Method == http.MethodPost {
		ok = g.Identity != "" && r.FormValue("refresh_token") == g.Identity && r.FormValue("grant_type") == "refresh_token"
	}
	if !ok {
		writeError(w, http.StatusUnauthorized, "UNAUTHORIZED", "wrong credential "+r.Header.Get("Authorization"))
		return
	}
	scopes := strings.Join(append(r.URL.Query()["scope"], r.PostFormValue("scope")), " ")
	lifetime := g.Lifetime
	if lifetime == 0 {
		lifetime = 5 * time.Minute
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	name := fmt.Sprintf("token-%d", len(g.tokens))
	g.tokens[name] = grant{scopes, time.Now().Add(lifetime)}
	json.NewEncoder(w).Encode(map[string]any{"token": name, "expires_in": int(lifetime.Seconds())})
}

// Expire makes all tokens that were given useless.
func (g *Registry) Expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.tokens)
}

// Tag returns the digest that a tag of a repository names, or "".
func (g *Registry) Tag(repo, tag string) string {
	r := httptest.NewRequest(http.MethodHead, "/v2/"+repo+"/manifests/"+tag, nil)
	w := httptest.NewRecorder()
	g.inner.ServeHTTP(w, r)
	return w.Header().Get("Docker-Content-Digest")
}

// Manifest returns the bytes of a manifest, or nil.
func (g *Registry) Manifest(repo, name string) []byte {
	r := httptest.NewRequest(http.MethodGet, "/v2/"+repo+"/manifests/"+name, nil)
	w := httptest.NewRecorder()
	g.inner.ServeHTTP(w, r)
	if w.Code != 200 {
		return nil
	}
	return w.Body.Bytes()
}

// Referrers returns the index of what refers to a manifest.
func (g *Registry) Referrers(repo, digest string) []byte {
	r := httptest.NewRequest(http.MethodGet, "/v2/"+repo+"/referrers/"+digest, nil)
	w := httptest.NewRecorder()
	g.inner.ServeHTTP(w, r)
	return w.Body.Bytes()
}

// HasBlob reports whether a repository has a blob.
func (g *Registry) HasBlob(repo, digest string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.blobs[repo+"@"+digest]
}

func writeError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

type countingBody struct {
	io.ReadCloser
	n int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

// RoundTrip makes a Registry a transport that needs no network.
func (g *Registry) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	g.Answer(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}
