package cluster

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/internal/cluster/clustertest"
	"github.com/polyarch/polyarch/internal/exit"
)

// kubeconfig writes one whose user is u, as YAML.
func kubeconfig(t *testing.T, url, user string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: test, users: [{name: u, user: %s}], clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}], contexts: [{name: test, context: {cluster: c, user: u}}]}\n", user, url)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func openAs(t *testing.T, url, user string, say func(string)) *Server {
	t.Helper()
	sources, err := Access{Kubeconfig: kubeconfig(t, url, user), Getenv: func(string) string { return "" }, UserAgent: "test", Say: say}.Open()
	if err != nil {
		t.Fatal(err)
	}
	s := sources[0].(*Server)
	s.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return s
}

func script(t *testing.T, body string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("it needs a shell")
	}
	path := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func execUser(path string) string {
	return "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: " + path + "}}"
}

// A refused token is requested anew, once.
func TestExecPluginIsAskedAgain(t *testing.T) {
	counter := filepath.Join(t.TempDir(), "count")
	plugin := script(t, `echo x >> `+counter+`
echo "asking for a token" >&2
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"token-'$(grep -c x `+counter+`)'"}}'
`)
	srv := clustertest.StartTLS(t, clustertest.Node("a", "linux", "arm64"))
	var sent []string
	good := "Bearer token-2"
	srv.Before = func(w http.ResponseWriter, r *http.Request) bool {
		sent = append(sent, r.Header.Get("Authorization"))
		if r.Header.Get("Authorization") == good {
			return false
		}
		clustertest.Refuse(w, 401, "Unauthorized", "Unauthorized")
		return true
	}
	var mu sync.Mutex
	var said []string
	survey, err := openAs(t, srv.URL, execUser(plugin), func(line string) { mu.Lock(); said = append(said, line); mu.Unlock() }).Survey(context.Background(), Query{})
	if err != nil || survey.Platforms().String() != "linux/arm64" {
		t.Fatalf("%v, %+v", err, survey)
	}
	if d := cmp.Diff([]string{"Bearer token-1", "Bearer token-2"}, sent[:2]); d != "" {
		t.Error(d)
	}
	mu.Lock()
	if d := cmp.Diff([]string{"asking for a token", "asking for a token"}, said); d != "" {
		t.Error(d)
	}
	mu.Unlock()
	// Refused again, it is over.
	good, sent = "", nil
	_, err = openAs(t, srv.URL, execUser(plugin), func(string) {}).Survey(context.Background(), Query{})
	if exit.CodeOf(err) != exit.Denied || len(sent) != 2 {
		t.Errorf("%v after %d requests", err, len(sent))
	}
}

func TestExecPluginThatFails(t *testing.T) {
	plugin := script(t, "echo 'Error: the SSO session has expired' >&2\nexit 1\n")
	srv := clustertest.StartTLS(t)
	_, err := openAs(t, srv.URL, execUser(plugin), func(string) {}).Survey(context.Background(), Query{})
	if exit.CodeOf(err) != exit.Denied || !strings.Contains(err.Error(), "getting credentials: exec: executable") || !slices.Contains(exit.HintsOf(err), "the program said: Error: the SSO session has expired") {
		t.Errorf("%v %q", err, exit.HintsOf(err))
	}
}

// A program that waits for somebody is ended when the time is over, with everything
// it started.
func TestExecPluginThatWaits(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("where children are not known, they are left alone")
	}
	pid := filepath.Join(t.TempDir(), "pid")
	plugin := script(t, "sleep 300 &\necho $! > "+pid+".new && mv "+pid+".new "+pid+"\nwait\n")
	srv := clustertest.StartTLS(t)
	server := openAs(t, srv.URL, execUser(plugin), func(string) {})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // the time is over once the program waits
		for ctx.Err() == nil {
			if _, err := os.Stat(pid); err == nil {
				cancel()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	_, errs := SurveyAll(ctx, []Source{server}, Query{})
	if exit.CodeOf(errs[0]) != exit.Unreachable {
		t.Error(errs[0])
	}
	b, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	for try := 0; ; try++ { // its parent is gone, and its new one may be slow to reap it
		state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(b)) + "/stat")
		if err != nil || strings.Contains(string(state), ") Z ") {
			break
		}
		if try == 6000 { // a minute, for a slow machine
			t.Fatalf("still running: %s", state)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// An expired login at an OpenID Connect provider is not a cluster that cannot
// be reached.
func TestExpiredOIDC(t *testing.T) {
	token := func(expires int64) string {
		part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
		return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"exp":%d}`, expires)) + "." + part("x")
	}
	var issuer *httptest.Server
	issuer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
			fmt.Fprintf(w, `{"token_endpoint":%q}`, issuer.URL+"/token")
			return
		}
		w.WriteHeader(400)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
	}))
	defer issuer.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	srv := clustertest.StartTLS(t)
	for name, config := range map[string]string{
		"no refresh token":      "id-token: " + token(1),
		"refresh token expired": "id-token: " + token(2) + ", refresh-token: r, idp-issuer-url: " + issuer.URL,
		"no token":              "id-token: nonsense",
		"provider down":         "id-token: " + token(3) + ", refresh-token: r, idp-issuer-url: " + gone.URL,
	} {
		user := "{auth-provider: {name: oidc, config: {client-id: " + strings.ReplaceAll(name, " ", "-") + ", idp-issuer-url: " + issuer.URL + ", " + config + "}}}"
		user = strings.Replace(user, "idp-issuer-url: "+issuer.URL+", ", "", strings.Count(config, "idp-issuer-url"))
		_, err := openAs(t, srv.URL, user, nil).Survey(context.Background(), Query{})
		if exit.CodeOf(err) != exit.Denied || !strings.Contains(err.Error(), "reading nodes of test: getting credentials: ") {
			t.Errorf("%s: code %d, %v", name, exit.CodeOf(err), err)
		}
	}
	if n := len(srv.Requests()); n != 0 {
		t.Errorf("%d requests without a token", n)
	}
}

// Proxies and gateways that know only plain JSON are asked for that.
func TestPlainJSON(t *testing.T) {
	nodes := append(clustertest.Nodes(120, "a", "linux", "amd64"), clustertest.Nodes(120, "b", "linux", "arm64")...)
	for _, code := range []int{http.StatusNotAcceptable, http.StatusBadRequest} {
		srv := clustertest.Start(t, nodes...)
		refused := 0
		srv.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Accept") == "application/json" {
				return false
			}
			refused++
			w.WriteHeader(code)
			return true
		}
		if d := cmp.Diff("linux/amd64 120\nlinux/arm64 120\nnot whole", ask(t, srv, Query{})); d != "" || refused != 1 {
			t.Errorf("%d: refused %d times, %s", code, refused, d)
		}
	}
}

func TestContextsWithBlanksAndCommas(t *testing.T) {
	srv := clustertest.Start(t, clustertest.Node("a", "linux", "arm64"))
	path := clustertest.Kubeconfig(t, "one="+srv.URL, "a, b="+srv.URL, "group/project:agent name="+srv.URL)
	for _, c := range []struct {
		given []string
		want  string
	}{
		{[]string{"a, b"}, "a, b"},
		{[]string{"group/project:agent name", "one"}, "group/project:agent name|one"},
		{[]string{"one,one"}, "one"},
	} {
		sources, err := Access{Kubeconfig: path, Contexts: c.given, Getenv: func(string) string { return "" }}.Open()
		var names []string
		for _, s := range sources {
			names = append(names, s.Name())
		}
		if err != nil || strings.Join(names, "|") != c.want {
			t.Errorf("%q: %v, %q", c.given, err, names)
		}
	}
}

// A credential that went to the server is not shown, wherever it comes back.
func TestCredentialsThatComeBack(t *testing.T) {
	const secret = "eyJhbGciOiJSUzI1NiIsImtpZCI6InNlY3JldCJ9.secret.signature"
	long := strings.Repeat("x", maxSaid-20) // so that a cut would fall into it
	for name, before := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"a message": func(w http.ResponseWriter, r *http.Request) bool {
			clustertest.Refuse(w, 403, "Forbidden", long+r.Header.Get("Authorization"))
			return true
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/login?token="+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), http.StatusFound)
			return true
		},
		"a server error": func(w http.ResponseWriter, r *http.Request) bool {
			clustertest.Refuse(w, 500, "InternalError", r.Header.Get("Authorization"))
			return true
		},
		"a kind": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"kind":%q,"items":[]}`, secret)
			return true
		},
	} {
		srv := clustertest.StartTLS(t)
		srv.Before = before
		_, err := openAs(t, srv.URL, "{token: "+secret+"}", nil).Survey(context.Background(), Query{})
		if err == nil {
			t.Fatal(name)
		}
		all := err.Error() + strings.Join(exit.HintsOf(err), " ")
		if strings.Contains(all, "eyJhbGci") || strings.Contains(all, "secret.signature") {
			t.Errorf("%s: %s", name, all)
		}
	}
	srv := clustertest.StartTLS(t,
		clustertest.Node(secret, "linux", "arm64", clustertest.NotReady), clustertest.Node("b", "linux", "amd64", clustertest.Taint(secret+":NoSchedule")))
	survey, err := openAs(t, srv.URL, "{token: "+secret+"}", nil).Survey(context.Background(), Query{})
	if got := fmt.Sprintf("%v %+v", err, survey); strings.Contains(got, "secret.signature") {
		t.Error(got)
	}
}

// A server cannot exhaust our memory or our time.
func TestHostileServers(t *testing.T) {
	stream := func(start, each string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, start)
			for i := 0; i < 1_000_000; i++ {
				if _, err := fmt.Fprintf(w, each, i); err != nil {
					return true
				}
			}
			return true
		}
	}
	for name, c := range map[string]struct {
		path   string
		before func(http.ResponseWriter, *http.Request) bool
		want   string
		query  Query
	}{
		"platforms without end": {"/api/v1/nodes", stream(`{"kind":"NodeList","items":[`, `{"metadata":{"name":"n%[1]d","labels":{"kubernetes.io/os":"linux","kubernetes.io/arch":"a%[1]d"}}},`), "labels of more than 200 platforms", Query{}},
		"groups without end":    {"/apis", stream(`{"groups":[`, `{"name":"karpenter.sh%d","versions":[{"version":"v1"}]},`), "longer than any object", Query{NodePools: true}},
		"kinds without end":     {"/apis/karpenter.sh/v1", stream(`{"resources":[`, `{"kind":"X%d","name":"x"},`), "longer than any object", Query{NodePools: true}},
		"pools without end":     {nodePools, stream(`{"items":[`, `{"metadata":{"name":"n%d"}},`), "more of them than a cluster has", Query{NodePools: true}},
		"a pool without end":    {nodePools, stream(`{"items":[{"x":[`, `"%d padding",`), "longer than any object", Query{NodePools: true}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := karpenter(t)
			srv.Before = func(w http.ResponseWriter, r *http.Request) bool { return r.URL.Path == c.path && c.before(w, r) }
			_, err := open(t, srv, nil).Survey(context.Background(), c.query)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Error(err)
			}
		})
	}
	// Endless reasons become one.
	var nodes []map[string]any
	for i := range 3000 {
		nodes = append(nodes, clustertest.Node(fmt.Sprintf("n%d", i), "linux", "amd64", clustertest.Taint(fmt.Sprintf("t%d:NoSchedule", i))))
	}
	survey, err := open(t, clustertest.Start(t, nodes...), nil).Survey(context.Background(), Query{Counts: true})
	sum := 0
	for _, g := range survey.LeftOut {
		sum += g.Nodes
	}
	if err != nil || len(survey.LeftOut) > maxGroups+1 || sum != 3000 {
		t.Errorf("%v, %d groups of %d nodes", err, len(survey.LeftOut), sum)
	}
}

// Names are one line each, of a readable length.
func TestNamesOfStrangers(t *testing.T) {
	s := clustertest.Start(t,
		clustertest.Node("a\n::set-output name=x::y", "linux", "amd64", clustertest.Cordoned),
		clustertest.Node("b", "linux", "arm64", clustertest.Taint("x\x1b[31m"+strings.Repeat("y", 5000)+":NoSchedule")))
	survey, err := open(t, s, nil).Survey(context.Background(), Query{})
	if err != nil || len(survey.LeftOut) != 2 {
		t.Fatalf("%v, %+v", err, survey)
	}
	if got := survey.LeftOut[0].Example; got != "a ::set-output name=x::y" {
		t.Errorf("%q", got)
	}
	if got := survey.LeftOut[1].Reason; !strings.HasPrefix(got, `tainted x\x1b[31myyy`) || len(got) > maxSaid+3 {
		t.Errorf("%q", got)
	}
}
