package cluster

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/polyarch/polyarch/internal/cluster/clustertest"
	"github.com/polyarch/polyarch/internal/exit"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// podAccess is the access that a pod has, to a server that speaks TLS.
func podAccess(t *testing.T, srv *httptest.Server) Access {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), "secret-token")
	write(t, filepath.Join(dir, "ca.crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})))
	u, _ := url.Parse(srv.URL)
	env := map[string]string{"HOME": dir, "KUBERNETES_SERVICE_HOST": u.Hostname(), "KUBERNETES_SERVICE_PORT": u.Port()}
	return Access{Getenv: func(k string) string { return env[k] }, ServiceAccount: dir, UserAgent: "test/1"}
}

func TestPod(t *testing.T) {
	api := &clustertest.Server{Objects: map[string][]map[string]any{"/api/v1/nodes": {clustertest.Node("a", "linux", "arm64")}}}
	var auth, agent string
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth, agent = r.Header.Get("Authorization"), r.Header.Get("User-Agent")
		api.ServeHTTP(w, r)
	}))
	defer srv.Close()
	sources, err := podAccess(t, srv).Open()
	if err != nil {
		t.Fatal(err)
	}
	s, err := sources[0].Survey(context.Background(), Query{})
	if err != nil || s.Platforms().String() != "linux/arm64" || s.Cluster != "in-cluster" {
		t.Errorf("%+v, %v", s, err)
	}
	if auth != "Bearer secret-token" || agent != "test/1" {
		t.Errorf("%q, %q", auth, agent)
	}
}

// Credentials stay with the host that they are for.
func TestRedirectGetsNoCredentials(t *testing.T) {
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer other.Close()
	srv := httptest.NewTLSServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	sources, err := podAccess(t, srv).Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sources[0].Survey(context.Background(), Query{}); err == nil || asked > 0 || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v; the other host was asked %d times", err, asked)
	}
}

func TestUnknownAuthority(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails
	srv.StartTLS()
	defer srv.Close()
	a := podAccess(t, srv)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	write(t, path, fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: x, clusters: [{name: c, cluster: {server: %q}}], contexts: [{name: x, context: {cluster: c}}]}", srv.URL))
	a.Kubeconfig = path
	sources, err := a.Open()
	if err != nil {
		t.Fatal(err)
	}
	_, err = sources[0].Survey(context.Background(), Query{})
	if exit.CodeOf(err) != exit.Unreachable || !strings.Contains(err.Error(), "x509: ") || !strings.Contains(exit.HintsOf(err)[0], "certificate-authority") {
		t.Errorf("%v %q", err, exit.HintsOf(err))
	}
}

func TestClientCertificateIsRefused(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	srv.StartTLS()
	defer srv.Close()
	sources, err := podAccess(t, srv).Open()
	if err != nil {
		t.Fatal(err)
	}
	_, err = sources[0].Survey(context.Background(), Query{})
	if exit.CodeOf(err) != exit.Denied || !strings.Contains(err.Error(), "remote error: tls: ") {
		t.Error(err)
	}
}

func TestWhichKubeconfig(t *testing.T) {
	dir := t.TempDir()
	config := func(context string) string {
		return "{apiVersion: v1, kind: Config, current-context: " + context + ", clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], contexts: [{name: " + context + ", context: {cluster: c}}]}"
	}
	a, b, home := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "home")
	write(t, a, config("a"))
	write(t, b, config("b"))
	write(t, filepath.Join(home, ".kube", "config"), config("home"))
	write(t, filepath.Join(dir, "user"), "{apiVersion: v1, kind: Config, current-context: x, clusters: [], contexts: [{name: x, context: {cluster: gone}}]}")
	for name, c := range map[string]struct {
		access Access
		env    map[string]string
		want   string // the cluster's name, or a part of the error
		code   exit.Code
	}{
		"flag":             {Access{Kubeconfig: a}, map[string]string{"KUBECONFIG": b, "HOME": home}, "a", 0},
		"environment":      {Access{}, map[string]string{"KUBECONFIG": b + string(filepath.ListSeparator) + a, "HOME": home}, "b", 0},
		"second file":      {Access{Contexts: []string{"a"}}, map[string]string{"KUBECONFIG": b + string(filepath.ListSeparator) + a}, "a", 0},
		"home":             {Access{}, map[string]string{"HOME": home}, "home", 0},
		"Windows' home":    {Access{}, map[string]string{"USERPROFILE": home}, "home", 0},
		"one is missing":   {Access{}, map[string]string{"KUBECONFIG": b + string(filepath.ListSeparator) + filepath.Join(dir, "gone")}, "gone: no such file", exit.Failed},
		"context, no file": {Access{Contexts: []string{"a"}}, map[string]string{"HOME": dir}, filepath.Join(".kube", "config") + ": no such file", exit.Failed},
		"nothing":          {Access{}, map[string]string{"HOME": dir}, "looking for a cluster", exit.Unreachable},
		"no such cluster":  {Access{Kubeconfig: filepath.Join(dir, "user")}, nil, `context "x": `, exit.Failed},
	} {
		c.access.Getenv = func(k string) string { return c.env[k] }
		sources, err := c.access.Open()
		switch {
		case c.code == 0 && (err != nil || sources[0].Name() != c.want):
			t.Errorf("%s: %v", name, err)
		case c.code != 0 && (exit.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: code %d: %v", name, exit.CodeOf(err), err)
		}
	}
}

// A selector goes to the server as text, narrowed to a kind of nodes.
func FuzzSelector(f *testing.F) {
	for _, s := range []string{"a=b", "a in (b,c),!d", "a notin (b)", "a!=b", "x>5", "example.com/a"} {
		f.Add(s, "linux", "arm64")
	}
	f.Fuzz(func(t *testing.T, s, os, arch string) {
		sel, err := labels.Parse(s)
		if err != nil {
			return
		}
		text, _, err := (&Filter{Selector: sel}).of(nodeKind{os: os, arch: arch})
		if err != nil {
			return
		}
		if _, err := labels.Parse(text); err != nil {
			t.Fatalf("%q became %q: %v", s, text, err)
		}
	})
}
