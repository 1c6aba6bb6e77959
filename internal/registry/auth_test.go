package registry_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/registry"
)

// canary is in every credential: it must show up nowhere but at its host.
const canary = "CANARY-c5f1"

type credentials map[string]authn.AuthConfig

func (c credentials) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if a, ok := c[r.RegistryStr()]; ok {
		return authn.FromConfig(a), nil
	}
	return authn.Anonymous, nil
}

// guarded makes a registry with an image app:v1 that needs a credential.
func guarded(t *testing.T, auth string) (*imagetest.Registry, v1.Image) {
	t.Helper()
	g := imagetest.NewRegistry()
	spec := imagetest.App("linux/amd64", "amd64", "text")
	if _, err := spec.Push("registry.test/app:v1", remote.WithTransport(g)); err != nil {
		t.Fatal(err)
	}
	img, err := spec.Build()
	if err != nil {
		t.Fatal(err)
	}
	g.Auth, g.Password = auth, canary
	return g, img
}

func ref(t *testing.T, s string) registry.Reference {
	t.Helper()
	r, err := registry.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCredentials(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("user:" + canary))
	for name, c := range map[string]struct {
		auth     string
		cred     authn.AuthConfig
		identity string
		want     string // the error; empty for none
		hint     string
	}{
		"no credential, none wanted": {"", authn.AuthConfig{}, "", "", ""},
		"one that nobody wants":      {"", authn.AuthConfig{Username: "user", Password: canary}, "", "", ""},
		"basic":                      {"basic", authn.AuthConfig{Username: "user", Password: canary}, "", "", ""},
		"basic, encoded":             {"basic", authn.AuthConfig{Auth: basic}, "", "", ""},
		"a token for a password":     {"bearer", authn.AuthConfig{Username: "user", Password: canary}, "", "", ""},
		"a token for a token":        {"bearer", authn.AuthConfig{IdentityToken: canary + "-identity"}, canary + "-identity", "", ""},
		"basic without a credential": {"basic", authn.AuthConfig{}, "", "reading registry.test/app:v1: 401 Unauthorized: UNAUTHORIZED: authentication required", "log in with: docker login registry.test"},
		"bearer without one":         {"bearer", authn.AuthConfig{}, "", "getting a token for registry.test from registry.test: 401 Unauthorized", "log in with: docker login registry.test"},
		"a wrong password":           {"basic", authn.AuthConfig{Username: "user", Password: canary + "-no"}, "", "reading registry.test/app:v1: 401 Unauthorized", "log in with"},
		"a wrong one for a token":    {"bearer", authn.AuthConfig{Username: "user", Password: canary + "-no"}, "", "getting a token for registry.test from registry.test: 401 Unauthorized: UNAUTHORIZED: wrong credential Basic ***", "log in with"},
		"a wrong identity token":     {"bearer", authn.AuthConfig{IdentityToken: canary + "-no"}, canary, "getting a token for registry.test from registry.test: 401", "log in with"},
		"a token that is refused":    {"bearer", authn.AuthConfig{RegistryToken: canary + "-no"}, "", "reading registry.test/app:v1: 401 Unauthorized", "log in with"},
	} {
		t.Run(name, func(t *testing.T) {
			g, _ := guarded(t, c.auth)
			g.Identity = c.identity
			synctest.Test(t, func(t *testing.T) {
				network := imagetest.NewNetwork()
				defer network.Close()
				network.Serve("registry.test", 0, g)
				var log bytes.Buffer
				cl := registry.New(registry.Options{
					Keychain: credentials{"registry.test": c.cred}, Insecure: []string{"registry.test"}, Transport: network.Transport(),
					Logf: func(format string, args ...any) { fmt.Fprintf(&log, format+"\n", args...) },
				})
				_, err := cl.Manifest(t.Context(), ref(t, "registry.test/app:v1"))
				if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
				if err != nil && (exit.CodeOf(err) != exit.Denied || !strings.HasPrefix(strings.Join(exit.HintsOf(err), ""), c.hint)) {
					t.Errorf("exit code %d, hints %q", exit.CodeOf(err), exit.HintsOf(err))
				}
				if said := fmt.Sprint(err, exit.HintsOf(err), log.String()); strings.Contains(said, canary) || strings.Contains(said, basic) {
					t.Errorf("the credential is in %q", said)
				}
			})
		})
	}
}

// Requests that start together are held back for one challenge, and one token
// with all scopes serves them.
func TestOneTokenForAll(t *testing.T) {
	g, _ := guarded(t, "bearer")
	synctest.Test(t, func(t *testing.T) {
		network := imagetest.NewNetwork()
		defer network.Close()
		network.Serve("registry.test", time.Second, g)
		cl := registry.New(registry.Options{
			Keychain: credentials{"registry.test": {Username: "user", Password: canary}}, Insecure: []string{"registry.test"}, Transport: network.Transport(),
		})
		ctx := t.Context()
		for _, r := range []string{"registry.test/app", "registry.test/other"} {
			repo, err := registry.ParseRepository(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := cl.Expect(ctx, repo, "pull", "push"); err != nil {
				t.Fatal(err)
			}
		}
		read := func(n int) {
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					if _, err := cl.Manifest(ctx, ref(t, "registry.test/app:v1")); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		read(8)
		var tokens []string
		for _, r := range g.Requests() {
			if r.Path == "/token" {
				q, _ := url.ParseQuery(r.Query)
				tokens = append(tokens, strings.Join(q["scope"], " "))
			}
		}
		if len(g.Requests()) != 1+1+8 || len(tokens) != 1 || tokens[0] != "repository:app:pull,push repository:other:pull,push" {
			t.Errorf("%d requests, tokens for %q", len(g.Requests()), tokens)
		}
		// The token is renewed before it ends, and once if it ended early.
		g.Reset()
		time.Sleep(5 * time.Minute)
		read(3)
		if n := len(g.Requests()); n != 1+3 {
			t.Errorf("with a token that has ended: %d requests", n)
		}
		g.Reset()
		g.Expire()
		read(3)
		if n := len(g.Requests()); n != 3+1+3 {
			t.Errorf("with a token that ended early: %d requests", n)
		}
	})
}

// A credential goes to no other host: not to one that is redirected to, not to
// one that a header or an upload names, not to a subdomain.
func TestCredentialsStayWithTheirHost(t *testing.T) {
	for _, auth := range []string{"basic", "bearer"} {
		for _, elsewhere := range []string{"evil.test", "sub.registry.test", "registry.test.evil.test"} {
			g, img := guarded(t, auth)
			layers, err := img.Layers()
			if err != nil {
				t.Fatal(err)
			}
			digest, err := layers[0].Digest()
			if err != nil {
				t.Fatal(err)
			}
			size, err := layers[0].Size()
			if err != nil {
				t.Fatal(err)
			}
			d := v1.Descriptor{Digest: digest, Size: size}
			var seen []string
			evil := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = append(seen, fmt.Sprint(r.Method, r.URL, r.Header))
				w.Header().Set("WWW-Authenticate", `Basic realm="give"`)
				if r.Method == http.MethodPut {
					w.WriteHeader(http.StatusCreated)
				} else {
					w.WriteHeader(http.StatusUnauthorized)
				}
			})
			g.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case r.Header.Get("Authorization") == "" || !strings.Contains(r.URL.Path, "/blobs/"):
					return false
				case r.Method == http.MethodPost:
					w.Header().Set("Location", "http://"+elsewhere+"/upload?x=1")
					w.WriteHeader(http.StatusAccepted)
				default:
					http.Redirect(w, r, "http://"+elsewhere+"/blob", http.StatusTemporaryRedirect)
				}
				return true
			}
			synctest.Test(t, func(t *testing.T) {
				network := imagetest.NewNetwork()
				defer network.Close()
				network.Serve("registry.test", 0, g)
				network.Serve(elsewhere, 0, evil)
				cl := registry.New(registry.Options{
					Keychain: credentials{"registry.test": {Username: "user", Password: canary}},
					Insecure: []string{"registry.test", elsewhere}, Transport: network.Transport(),
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				repo := registry.Repository{Host: "registry.test", Path: "app"}
				if _, err := cl.Blob(ctx, repo, d); err == nil || exit.CodeOf(err) != exit.Denied {
					t.Errorf("%s, %s: reading a blob that is elsewhere: %v", auth, elsewhere, err)
				}
				u, err := cl.Begin(ctx, repo, d, repo)
				if err != nil || u == nil {
					t.Fatalf("beginning an upload: %v", err)
				}
				if err := u.Send(ctx, func(context.Context) (io.ReadCloser, error) { return layers[0].Compressed() }); err != nil {
					t.Errorf("%s, %s: sending a blob elsewhere: %v", auth, elsewhere, err)
				}
			})
			if len(seen) != 2 {
				t.Errorf("%s, %s: %d requests were sent there", auth, elsewhere, len(seen))
			}
			for _, s := range seen {
				if strings.Contains(s, "Authorization") || strings.Contains(s, canary) {
					t.Errorf("%s, %s: it was sent %s", auth, elsewhere, s)
				}
			}
		}
	}
}

// What TLS protects is not sent over plain HTTP because somebody says so.
func TestNoWayFromTLSToPlainHTTP(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://plain.test/blob", http.StatusTemporaryRedirect)
		},
		"a token service": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://plain.test/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
		"no address": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusTemporaryRedirect)
		},
		"an endless redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		},
	} {
		server := httptest.NewUnstartedServer(answer)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		cl := registry.New(registry.Options{
			Keychain:  credentials{"127.0.0.1": {Username: "user", Password: canary}},
			Transport: server.Client().Transport,
		})
		_, err := cl.Manifest(t.Context(), ref(t, strings.TrimPrefix(server.URL, "https://")+"/app:v1"))
		if err == nil || strings.Contains(err.Error(), "no such host") || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
	}
}

// Requests that start together all find out that loopback speaks TLS.
func TestLoopbackThatSpeaksTLS(t *testing.T) {
	g, _ := guarded(t, "")
	server := httptest.NewUnstartedServer(g)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	cl := registry.New(registry.Options{Transport: server.Client().Transport})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := cl.Manifest(t.Context(), ref(t, strings.TrimPrefix(server.URL, "https://")+"/app:v1")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Docker's config and its helpers are read as Docker reads them.
func TestDockerConfig(t *testing.T) {
	dir := t.TempDir()
	helper := "#!/bin/sh\n" +
		"read host\n" +
		`case $host in` + "\n" +
		`helper.test) echo '{"ServerURL":"helper.test","Username":"user","Secret":"` + canary + `"}' ;;` + "\n" +
		`identity.test) echo '{"ServerURL":"identity.test","Username":"<token>","Secret":"` + canary + `-identity"}' ;;` + "\n" +
		"*) echo 'credentials not found in native keychain'; exit 1 ;;\nesac\n"
	config := `{"auths":{"file.test":{"auth":"` + base64.StdEncoding.EncodeToString([]byte("user:"+canary)) + `"}},` +
		`"credHelpers":{"helper.test":"polyarch-test","identity.test":"polyarch-test","none.test":"polyarch-test"}}`
	for name, text := range map[string]string{"docker-credential-polyarch-test": helper, "config.json": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("HOME", dir)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for host, c := range map[string]struct {
		auth string
		ok   bool
	}{
		"file.test": {"basic", true}, "helper.test": {"bearer", true}, "identity.test": {"bearer", true},
		"none.test": {"basic", false}, "other.test": {"basic", false},
	} {
		g, _ := guarded(t, c.auth)
		g.Identity = canary + "-identity"
		server := httptest.NewServer(g)
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(server.URL) } // every name is this server's
		cl := registry.New(registry.Options{Keychain: authn.DefaultKeychain, Insecure: []string{host}, Transport: transport})
		if _, err := cl.Manifest(t.Context(), ref(t, host+"/app:v1")); (err == nil) != c.ok || err != nil && exit.CodeOf(err) != exit.Denied {
			t.Errorf("%s: %v", host, err)
		}
		server.Close()
	}
}
