package registry_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/registry"
)

// A world has one registry, example.com, reached by TLS; whatever else is
// dialled is written down and refused, or answered by elsewhere.
type world struct {
	client *registry.Client

	mu      sync.Mutex
	dialled []string
}

func newWorld(t *testing.T, home http.Handler, elsewhere map[string]http.Handler) *world {
	t.Helper()
	w := &world{}
	start := func(h http.Handler) string {
		s := httptest.NewUnstartedServer(h)
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	known := map[string]string{"example.com:443": start(home)}
	for name, h := range elsewhere {
		known[name+":443"] = start(h)
	}
	w.client = registry.New(registry.Options{
		Keychain: credentials{"example.com": {Username: "user", Password: canary}},
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if at, ok := known[address]; ok {
					return (&net.Dialer{}).DialContext(ctx, network, at)
				}
				w.mu.Lock()
				defer w.mu.Unlock()
				w.dialled = append(w.dialled, address)
				return nil, &net.DNSError{IsNotFound: true, Name: address}
			},
		},
	})
	return w
}

// badAddresses are where a registry that is reached over TLS may not send
// anybody. Add a line for each new trick.
var badAddresses = []string{
	"http://127.0.0.1:9", "http://localhost:9", "http://x.localhost:9", "http://[::1]:9", "http://127.0.0.1.:9", "http://evil.example",
	"https://127.0.0.1", "https://127.8.8.8", "https://localhost", "https://localhost.", "https://LOCALHOST", "https://x.localhost", "https://[::1]", "https://[::ffff:127.0.0.1]",
	"https://0.0.0.0", "https://[::]", "https://127.1", "https://2130706433", "https://0x7f000001", "https://0x7f.1",
	"https://169.254.169.254", "http://169.254.169.254", "https://[fe80::1]", "https://[fe80::1%25eth0]",
	"https://10.0.0.1", "https://172.16.0.1", "https://192.168.1.1", "https://[fd00::1]", "https://100.64.0.1",
	"file:///etc/passwd", "gopher://evil.example", "https://", "https://user:password@evil.example",
}

// ways are how a registry can send somebody elsewhere: the handler of the
// registry, and what the client does.
var ways = map[string]struct {
	send func(address string, w http.ResponseWriter, r *http.Request)
	do   func(ctx context.Context, c *registry.Client, repo registry.Repository) error
}{
	"a token service": {
		func(address string, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q", address+"/token"))
			w.WriteHeader(http.StatusUnauthorized)
		}, readManifest,
	},
	"a redirect of a manifest": {redirectTo, readManifest},
	"a redirect of a blob": {redirectTo, func(ctx context.Context, c *registry.Client, repo registry.Repository) error {
		_, err := c.Blob(ctx, repo, someBlob)
		return err
	}},
	"a redirect of a layer": {redirectTo, func(ctx context.Context, c *registry.Client, repo registry.Repository) error {
		_, err := c.Open(ctx, repo, someBlob)
		return err
	}},
	"where to upload": {
		func(address string, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", address+"/upload")
			w.WriteHeader(http.StatusAccepted)
		},
		func(ctx context.Context, c *registry.Client, repo registry.Repository) error {
			_, err := c.Begin(ctx, repo, someBlob, repo)
			return err
		},
	},
	"a redirect of an upload": {
		func(address string, w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.Header().Set("Location", "/v2/app/upload")
				w.WriteHeader(http.StatusAccepted)
				return
			}
			redirectTo(address, w, r)
		},
		func(ctx context.Context, c *registry.Client, repo registry.Repository) error {
			u, err := c.Begin(ctx, repo, someBlob, repo)
			if err != nil || u == nil {
				return err
			}
			return u.Send(ctx, func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("text")), nil })
		},
	},
	"the next page of referrers": {
		func(address string, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "<"+address+"/more>; rel=\"next\"")
			io.WriteString(w, `{"schemaVersion":2,"manifests":[]}`)
		},
		func(ctx context.Context, c *registry.Client, repo registry.Repository) error {
			_, err := c.Referrers(ctx, repo, someBlob.Digest)
			return err
		},
	},
}

var someBlob = v1.Descriptor{Size: 4, Digest: v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("ab", 32)}}

func redirectTo(address string, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Location", address+"/elsewhere")
	w.WriteHeader(http.StatusTemporaryRedirect)
}

func readManifest(ctx context.Context, c *registry.Client, repo registry.Repository) error {
	_, err := c.Manifest(ctx, repo.Tag("v1"))
	return err
}

func TestNoWayInsideOrOutInClear(t *testing.T) {
	repo := registry.Repository{Host: "example.com", Path: "app"}
	for name, way := range ways {
		for _, address := range badAddresses {
			w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { way.send(address, w, r) }), nil)
			err := way.do(t.Context(), w.client, repo)
			if err == nil || len(w.dialled) > 0 || strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), ":password@") {
				t.Errorf("%s at %s: error %v; it dialled %q", name, address, err, w.dialled)
			}
		}
	}
}

// A registry on a private address may send to its neighbours, but not to a
// loopback address.
func TestNeighbours(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"10.0.0.5", "https://10.0.0.6", true},
		{"10.0.0.5", "https://192.168.0.6", true},
		{"10.0.0.5", "https://127.0.0.1", false},
		{"10.0.0.5", "https://169.254.169.254", false},
		{"10.0.0.5", "http://10.0.0.5", false},
		{"127.0.0.1:5000", "http://localhost:6000", true},
		{"127.0.0.1:5000", "https://10.0.0.1", true},
		{"127.0.0.1:5000", "http://evil.example", false},
		{"example.com", "https://cdn.example", true},
		{"example.com", "https://8.8.8.8", true},
		{"example.com", "http://named.example", true}, // by --insecure-registry
		{"example.com", "http://10.1.1.1:5000", true},
	} {
		if err := registry.Trusted(c.from, c.to, "named.example", "10.1.1.1:5000"); (err == nil) != c.ok {
			t.Errorf("from %s to %s: %v", c.from, c.to, err)
		}
	}
}

// A credential is not sent to its own host by a path that another host chose.
func TestNoCredentialByAnotherHostsPath(t *testing.T) {
	var seen []string
	var mu sync.Mutex
	home := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.URL.Path == "/v2/private/blobs/secret":
			seen = append(seen, r.Header.Get("Authorization"))
			w.Header().Set("WWW-Authenticate", `Basic realm="again"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.Header.Get("Authorization") == "":
			w.Header().Set("WWW-Authenticate", `Basic realm="home"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodPost:
			w.Header().Set("Location", "https://cdn.example/upload")
			w.WriteHeader(http.StatusAccepted)
		default:
			redirectTo("https://cdn.example", w, r)
		}
	})
	cdn := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://example.com/v2/private/blobs/secret")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	repo := registry.Repository{Host: "example.com", Path: "app"}
	for name, way := range ways {
		w := newWorld(t, home, map[string]http.Handler{"cdn.example": cdn})
		if err := way.do(t.Context(), w.client, repo); err == nil && name != "where to upload" {
			t.Errorf("%s: no error", name)
		}
	}
	if len(seen) == 0 {
		t.Error("nothing came home")
	}
	for _, s := range seen {
		if s != "" {
			t.Errorf("it came home with %q", s)
		}
	}
}

// Whatever a registry sends back, and however long it is, no part of a secret
// is shown.
func TestSecretsThatAreSentBack(t *testing.T) {
	long := strings.Repeat("S3cr3t/", 300) + "+end"
	for name, password := range map[string]string{"short": "p4ssword", "long": long, "marks": `a"b\c&d e%f+g` + canary} {
		basic := base64.StdEncoding.EncodeToString([]byte("user:" + password))
		for text, body := range map[string]string{
			"plain":    "wrong: " + password,
			"basic":    "wrong: Basic " + basic,
			"often":    strings.Repeat(password+" ", 9000/len(password)),
			"cut off":  strings.Repeat(basic, 1+9000/len(basic)),
			"at 8 KiB": strings.Repeat("x", 8192-6) + password,
			"one JSON": fmt.Sprintf(`{"errors":[{"code":"DENIED","message":%q}]}`, "no "+password+" here"),
		} {
			w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" {
					w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				w.WriteHeader(http.StatusForbidden)
				io.WriteString(w, body)
			}), nil)
			w.client = w.with(password)
			err := readManifest(t.Context(), w.client, registry.Repository{Host: "example.com", Path: "app"})
			said := fmt.Sprint(err, exit.HintsOf(err))
			for _, secret := range []string{password, basic} {
				if n := min(6, len(secret)); strings.Contains(said, secret[:n]) {
					t.Errorf("%s, %s: %s", name, text, said)
				}
			}
		}
	}
}

// with returns a client of the same world with another password.
func (w *world) with(password string) *registry.Client {
	return registry.WithKeychain(w.client, credentials{"example.com": authn.AuthConfig{Username: "user", Password: password}})
}
