// Longer than 350 lines: one table of clusters and what is to be seen in them.

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/polyarch/polyarch/internal/cluster/clustertest"
	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/pod"
)

// open returns the server as a source that does not wait between tries; waits
// gets what it would have waited.
func open(t *testing.T, s *clustertest.Server, waits *[]time.Duration) *Server {
	t.Helper()
	sources, err := Access{
		Kubeconfig: clustertest.Kubeconfig(t, "test="+s.URL), Getenv: func(string) string { return "" }, UserAgent: "test",
	}.Open()
	if err != nil {
		t.Fatal(err)
	}
	server := sources[0].(*Server)
	server.pause = func(ctx context.Context, d time.Duration) error {
		if waits != nil {
			*waits = append(*waits, d)
		}
		return ctx.Err()
	}
	return server
}

// ask returns a survey as words: the offers, then what was left out and noted.
func ask(t *testing.T, s *clustertest.Server, q Query) string {
	t.Helper()
	survey, err := open(t, s, nil).Survey(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return words(survey)
}

func words(s *Survey) string {
	var lines []string
	for _, o := range s.Offers {
		line := fmt.Sprintf("%s %d", o.Platform, o.Nodes)
		if o.Pools > 0 {
			line += fmt.Sprintf("+%d", o.Pools)
		}
		for _, t := range o.Taints {
			line += " " + t.String()
		}
		lines = append(lines, line)
	}
	for name, groups := range map[string][]Group{"out": s.LeftOut, "note": s.Notes} {
		for _, g := range groups {
			n := fmt.Sprint(g.Nodes)
			if g.Pools > 0 {
				n += fmt.Sprintf("+%d", g.Pools)
			}
			lines = append(lines, fmt.Sprintf("%s: %s %s %s (%s)", name, n, g.Platform, g.Reason, g.Example))
		}
	}
	slices.Sort(lines)
	if !s.Whole {
		lines = append(lines, "not whole")
	}
	return strings.Join(lines, "\n")
}

func selector(t *testing.T, s string) labels.Selector {
	t.Helper()
	sel, err := labels.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return sel
}

func TestSmallClusterIsReadWhole(t *testing.T) {
	arm := clustertest.Taint("kubernetes.io/arch=arm64:NoSchedule")
	srv := clustertest.Start(t,
		clustertest.Node("cp", "linux", "amd64", clustertest.Taint("node-role.kubernetes.io/control-plane:NoSchedule")),
		clustertest.Node("a", "linux", "amd64"),
		clustertest.Node("b", "linux", "arm64", arm),
		clustertest.Node("c", "linux", "arm64", clustertest.Cordoned),
		clustertest.Node("c-by-taint", "linux", "arm64", clustertest.Taint("node.kubernetes.io/unschedulable:NoSchedule")),
		clustertest.Node("d", "linux", "s390x", clustertest.NotReady),
		clustertest.Node("v", "", "", clustertest.Label("type", "virtual-kubelet"), clustertest.Reports("linux", "amd64")),
		clustertest.Node("w", "windows", "amd64", clustertest.Taint("gpu:PreferNoSchedule")),
		clustertest.Node("x", "", "", clustertest.Reports("linux", "riscv64")),
		clustertest.Node("y", "linux", "arm64", clustertest.Reports("linux", "amd64")),
		clustertest.Node("z", "", ""),
	)
	want := `linux/amd64 1
linux/arm64 2 kubernetes.io/arch=arm64:NoSchedule
linux/riscv64 1
linux/s390x 1
note: 1 linux/arm64 labelled so, while the kubelet reports linux/amd64 (y)
note: 1 linux/riscv64 without the labels kubernetes.io/os and kubernetes.io/arch, so that affinity finds none of them (x)
note: 1 linux/s390x not ready (d)
out: 1  without an architecture in labels and status (z)
out: 1 linux/amd64 tainted node-role.kubernetes.io/control-plane:NoSchedule (cp)
out: 1 linux/amd64 virtual (v)
out: 2 linux/arm64 cordoned (c)
windows/amd64 1`
	if d := cmp.Diff(want, ask(t, srv, Query{})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"/api/v1/nodes limit=500 whole", "/api/v1/nodes metadata"}, srv.Requests()); d != "" {
		t.Error(d)
	}
}

func TestFilters(t *testing.T) {
	nodes := []map[string]any{
		clustertest.Node("a", "linux", "amd64", clustertest.Label("pool", "web")),
		clustertest.Node("b", "linux", "arm64", clustertest.Taint("dedicated=web:NoSchedule"), clustertest.Label("pool", "web")),
		clustertest.Node("c", "linux", "ppc64le", clustertest.Cordoned),
		clustertest.Node("d", "linux", "s390x", clustertest.NotReady),
		clustertest.Node("e", "linux", "riscv64", clustertest.Taint("node.kubernetes.io/disk-pressure:NoSchedule")),
		clustertest.Node("v", "linux", "loong64", clustertest.Label("type", "virtual-kubelet"), clustertest.Taint("virtual-kubelet.io/provider=x:NoSchedule")),
	}
	all := "linux/amd64,linux/riscv64,linux/s390x"
	for name, c := range map[string]struct {
		filter Filter
		want   string
	}{
		"none":              {Filter{}, all},
		"selector":          {Filter{Selector: selector(t, "pool=web")}, "linux/amd64"},
		"set selector":      {Filter{Selector: selector(t, "pool notin (web)")}, "linux/riscv64,linux/s390x"},
		"key and value":     {Filter{Tolerations: []pod.Toleration{{Key: "dedicated", Value: "web"}}}, "linux/amd64,linux/arm64,linux/riscv64,linux/s390x"},
		"another value":     {Filter{Tolerations: []pod.Toleration{{Key: "dedicated", Value: "db"}}}, all},
		"another effect":    {Filter{Tolerations: []pod.Toleration{{Key: "dedicated", Operator: "Exists", Effect: "NoExecute"}}}, all},
		"key":               {Filter{Selector: selector(t, "pool"), Tolerations: []pod.Toleration{{Key: "dedicated", Operator: "Exists"}}}, "linux/amd64,linux/arm64"},
		"everything":        {Filter{Tolerations: []pod.Toleration{{Operator: "Exists"}}}, "linux/amd64,linux/arm64,linux/loong64,linux/ppc64le,linux/riscv64,linux/s390x"},
		"virtual":           {Filter{Tolerations: []pod.Toleration{{Key: "virtual-kubelet.io/provider", Operator: "Exists"}}}, "linux/amd64,linux/loong64,linux/riscv64,linux/s390x"},
		"ready":             {Filter{ReadyOnly: true}, "linux/amd64"},
		"selector of nodes": {Filter{Selector: selector(t, "kubernetes.io/hostname=d")}, "linux/s390x"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, large := range []bool{false, true} { // both ways of reading
				srv := clustertest.Start(t, nodes...)
				if large {
					srv.Objects["/api/v1/nodes"] = append(clustertest.Nodes(101, "gone", "linux", "mips", clustertest.Label("pool", "web"), clustertest.Cordoned, func(n map[string]any) {
						clustertest.Labels(n)["kubernetes.io/hostname"] = "d"
					}), nodes...)
				}
				survey, err := open(t, srv, nil).Survey(context.Background(), Query{Filter: c.filter})
				if err != nil {
					t.Fatal(err)
				}
				got := strings.Replace(survey.Platforms().String(), ",linux/mips", "", 1)
				if got != c.want {
					t.Errorf("large %t: %s, want %s", large, got, c.want)
				}
			}
		})
	}
}

// A large cluster costs the metadata of all nodes and a few whole ones.
func TestLeastReading(t *testing.T) {
	arm := clustertest.Taint("kubernetes.io/arch=arm64:NoSchedule")
	nodes := slices.Concat(
		clustertest.Nodes(1200, "amd", "linux", "amd64", clustertest.Full),
		clustertest.Nodes(600, "arm", "linux", "arm64", clustertest.Full, arm),
		clustertest.Nodes(12, "s", "linux", "s390x", clustertest.Full, clustertest.Taint("mainframe:NoSchedule")),
		clustertest.Nodes(2, "u", "", "", clustertest.Reports("linux", "riscv64")),
		clustertest.Nodes(3, "v", "", "", clustertest.Label("type", "virtual-kubelet")),
	)
	srv := clustertest.Start(t, nodes...)
	want := `linux/amd64 1200
linux/arm64 600 kubernetes.io/arch=arm64:NoSchedule
linux/riscv64 2
note: 2 linux/riscv64 without the labels kubernetes.io/os and kubernetes.io/arch, so that affinity finds none of them (u-00000)
out: 12 linux/s390x tainted mainframe:NoSchedule (s-00000)
out: 3  virtual (v-00000)
not whole`
	if d := cmp.Diff(want, ask(t, srv, Query{})); d != "" {
		t.Error(d)
	}
	const s = "/api/v1/nodes labelSelector="
	if d := cmp.Diff([]string{
		s + "!kubernetes.io/arch,!kubernetes.io/os,type!=virtual-kubelet limit=10 whole",
		s + "kubernetes.io/arch=amd64,kubernetes.io/os=linux,type!=virtual-kubelet limit=10 whole",
		s + "kubernetes.io/arch=arm64,kubernetes.io/os=linux,type!=virtual-kubelet limit=10 whole",
		s + "kubernetes.io/arch=s390x,kubernetes.io/os=linux,type!=virtual-kubelet limit=10 whole",
		s + "kubernetes.io/arch=s390x,kubernetes.io/os=linux,type!=virtual-kubelet limit=100 whole",
		"/api/v1/nodes metadata",
	}, srv.Requests()); d != "" {
		t.Error(d)
	}
	// Whole, all 1817 would be 20 MB; the wire depends on Go's gzip.
	plain, wire := srv.Bytes()
	if plain != 4_423_502 || wire > 400_000 {
		t.Errorf("%d bytes, %d on the wire", plain, wire)
	}
	everything := open(t, srv, nil)
	before := len(srv.Requests())
	survey, err := everything.Survey(context.Background(), Query{Counts: true})
	if err != nil || !survey.Whole || survey.Offers[0].Nodes != 1200 || len(srv.Requests())-before != 4 {
		t.Errorf("%+v, %v, %d requests", survey, err, len(srv.Requests())-before)
	}
}

// The nodes that take the workload may come late.
func TestProbeGoesOn(t *testing.T) {
	for name, option := range map[string]clustertest.Option{"tainted": clustertest.Taint("x:NoSchedule"), "cordoned": clustertest.Cordoned, "not ready": clustertest.NotReady} {
		srv := clustertest.Start(t, append(clustertest.Nodes(250, "a", "linux", "amd64", option), clustertest.Nodes(300, "b", "linux", "amd64")...)...)
		if d := cmp.Diff("linux/amd64 550\nnot whole", ask(t, srv, Query{})); d != "" {
			t.Error(name, d)
		}
		if n := len(srv.Requests()); n != 5 { // metadata, 10, 100, 100, 100
			t.Errorf("%s: %d requests: %q", name, n, srv.Requests())
		}
	}
}

func TestServersDiffer(t *testing.T) {
	nodes := append(clustertest.Nodes(300, "a", "linux", "amd64"), clustertest.Nodes(300, "b", "linux", "arm64")...)
	for name, c := range map[string]struct {
		set  func(*clustertest.Server)
		want string
	}{
		"JSON":         {func(s *clustertest.Server) { s.JSONOnly = true }, "linux/amd64 300\nlinux/arm64 300\nnot whole"},
		"no metadata":  {func(s *clustertest.Server) { s.WholeOnly = true }, "linux/amd64 300\nlinux/arm64 300\nnot whole"},
		"limit":        {func(s *clustertest.Server) { s.IgnoreLimit = true }, "linux/amd64 300\nlinux/arm64 300"},
		"own paging":   {ownPages, "linux/amd64 300\nlinux/arm64 300\nnot whole"},
		"expired once": {once(func(r *http.Request) bool { return r.URL.Query().Has("continue") }, gone), "linux/amd64 300\nlinux/arm64 300"},
		"cut once":     {once(func(*http.Request) bool { return true }, cut), "linux/amd64 300\nlinux/arm64 300\nnot whole"},
		"reset once":   {once(func(*http.Request) bool { return true }, reset), "linux/amd64 300\nlinux/arm64 300\nnot whole"},
		"429 once":     {once(func(*http.Request) bool { return true }, busy), "linux/amd64 300\nlinux/arm64 300\nnot whole"},
		"503 once":     {once(func(*http.Request) bool { return true }, down), "linux/amd64 300\nlinux/arm64 300\nnot whole"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := clustertest.Start(t, nodes...)
			c.set(srv)
			if d := cmp.Diff(c.want, ask(t, srv, Query{Counts: strings.HasPrefix(name, "expired")})); d != "" {
				t.Error(d)
			}
		})
	}
}

// ownPages makes a server page where no limit was asked for.
func ownPages(s *clustertest.Server) {
	inner := &clustertest.Server{Objects: s.Objects}
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if q := r.URL.Query(); !q.Has("limit") {
			q.Set("limit", "70")
			r.URL.RawQuery = q.Encode()
		}
		inner.ServeHTTP(w, r)
		return true
	}
}

func once(when func(*http.Request) bool, do func(http.ResponseWriter)) func(*clustertest.Server) {
	return func(s *clustertest.Server) {
		done := false
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if done || !when(r) {
				return false
			}
			done = true
			do(w)
			return true
		}
	}
}

func gone(w http.ResponseWriter) {
	clustertest.Refuse(w, http.StatusGone, "Expired", "The provided continue parameter is too old")
}

func cut(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Write([]byte(`{"kind":"NodeList","items":[{"metadata":{"name":"half","labels":{"kubernetes.io/os":"linux","kubernetes.io/arch":"mips"}}},`))
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func reset(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "7")
	clustertest.Refuse(w, http.StatusTooManyRequests, "TooManyRequests", "slow down")
}

func down(w http.ResponseWriter) {
	clustertest.Refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", "starting")
}

func TestWaitsBetweenTries(t *testing.T) {
	srv := clustertest.Start(t)
	srv.Before = func(w http.ResponseWriter, _ *http.Request) bool { busy(w); return true }
	var waits []time.Duration
	_, err := open(t, srv, &waits).Survey(context.Background(), Query{})
	if exit.CodeOf(err) != exit.Unreachable || len(srv.Requests()) != 6 {
		t.Errorf("%v after %d requests", err, len(srv.Requests()))
	}
	if d := cmp.Diff(slices.Repeat([]time.Duration{7 * time.Second}, 5), waits); d != "" {
		t.Error(d)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	waits = nil
	_, err = open(t, srv, &waits).Survey(ctx, Query{})
	if exit.CodeOf(err) != exit.Unreachable || waits != nil || !strings.Contains(err.Error(), "it asks to wait 7s (Retry-After), which is longer than --timeout leaves") {
		t.Errorf("waiting beyond the end: %v after %v", err, waits)
	}
}

func TestRefusals(t *testing.T) {
	answer := func(code int, contentType, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(code)
			w.Write([]byte(body))
			return true
		}
	}
	for name, c := range map[string]struct {
		before func(http.ResponseWriter, *http.Request) bool
		code   exit.Code
		want   string
		hint   string
	}{
		"401": {
			func(w http.ResponseWriter, _ *http.Request) bool {
				clustertest.Refuse(w, 401, "Unauthorized", "Unauthorized")
				return true
			},
			exit.Denied, "reading nodes of test: 401 Unauthorized: Unauthorized", "log in again",
		},
		"403": {
			func(w http.ResponseWriter, _ *http.Request) bool {
				clustertest.Refuse(w, 403, "Forbidden", `nodes is forbidden: User "system:serviceaccount:ci:builder" cannot list resource "nodes" in API group "" at the cluster scope`)
				return true
			},
			exit.Denied, "reading nodes of test: 403 Forbidden: nodes is forbidden", "--clusterrole=detect-arch --serviceaccount=ci:builder",
		},
		"404": {answer(404, "text/html", "<html>"), exit.Failed, "reading nodes of test: 404 Not Found", "lead to a Kubernetes API server?"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/login", http.StatusFound)
			return true
		}, exit.Denied, "reading nodes of test: 302 Found, to 127.0.0.1:", "log in again"},
		"a page":    {answer(200, "text/html", "<html>Log in</html>"), exit.Denied, "reading nodes of test: the answer is an HTML page", "log in again"},
		"pods":      {answer(200, "application/json", `{"kind":"PodList","items":[]}`), exit.Failed, "it is not a list of nodes: its kind is PodList", "lead to"},
		"bad JSON":  {answer(200, "application/json", `{"kind":"NodeList","items":[}`), exit.Failed, "invalid character", "lead to"},
		"protobuf":  {answer(200, "application/vnd.kubernetes.protobuf", "k8s\x00\x12\x03\x12\x05abc"), exit.Failed, "its protobuf is damaged", "lead to"},
		"endless":   {func(w http.ResponseWriter, _ *http.Request) bool { endless(w); return true }, exit.Failed, "longer than any object", ""},
		"same page": {answer(200, "application/json", `{"kind":"NodeList","metadata":{"continue":"x"},"items":[]}`), exit.Failed, "the same page again", ""},
		"always cut": {
			func(w http.ResponseWriter, _ *http.Request) bool { cut(w); return true },
			exit.Unreachable, "unexpected EOF", "",
		},
		"always gone": {
			func(w http.ResponseWriter, _ *http.Request) bool { gone(w); return true },
			exit.Failed, "reading nodes of test: 410 Gone", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := clustertest.Start(t)
			srv.Before = c.before
			_, err := open(t, srv, nil).Survey(context.Background(), Query{})
			if err == nil || exit.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) || !strings.Contains(strings.Join(exit.HintsOf(err), "\n"), c.hint) {
				t.Errorf("code %d: %v; hints %q", exit.CodeOf(err), err, exit.HintsOf(err))
			}
		})
	}
}

// endless is one object that never ends.
func endless(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Write([]byte(`{"kind":"NodeList","items":[{"metadata":{"name":"`))
	for range 10 << 10 {
		if _, err := w.Write([]byte(strings.Repeat("x", 1024))); err != nil {
			return
		}
	}
}

func TestTimeout(t *testing.T) {
	srv := clustertest.Start(t)
	release := make(chan struct{})
	defer close(release)
	srv.Before = func(http.ResponseWriter, *http.Request) bool { <-release; return true }
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := open(t, srv, nil).Survey(ctx, Query{})
	if exit.CodeOf(err) != exit.Unreachable || !strings.Contains(err.Error(), "did not answer in time") {
		t.Error(err)
	}
}
