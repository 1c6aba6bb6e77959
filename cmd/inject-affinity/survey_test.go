package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	fake "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/polyarch/polyarch/internal/command"
	"github.com/polyarch/polyarch/internal/imagetest"
	"github.com/polyarch/polyarch/internal/readiness"
)

// A surveyRegistry is a registry with images of every sort, which counts what
// it is asked.
type surveyRegistry struct {
	host    string
	digests map[string]string

	mu    sync.Mutex
	asked []string
}

func (g *surveyRegistry) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = nil
}

// requests returns those since the last reset that contain a text.
func (g *surveyRegistry) requests(text string) (out []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.asked {
		if strings.Contains(r, text) {
			out = append(out, r)
		}
	}
	return out
}

func newSurveyRegistry(t *testing.T) *surveyRegistry {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	g := &surveyRegistry{digests: map[string]string{}}
	h := fake.New(fake.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.asked = append(g.asked, r.Method+" "+r.URL.Path)
		g.mu.Unlock()
		if _, password, _ := r.BasicAuth(); strings.HasPrefix(r.URL.Path, "/v2/private/") && r.Method == http.MethodGet && password != "s3cret-token" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required for %s"}]}`, password)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	g.host = strings.TrimPrefix(s.URL, "http://")
	both := func(ref, arm string) {
		d, err := imagetest.PushIndex(g.host+"/"+ref, imagetest.App("linux/amd64", "amd64", ref), imagetest.App("linux/arm64", arm, ref))
		if err != nil {
			t.Fatal(err)
		}
		g.digests[ref] = d.String()
	}
	both("both:1", "arm64")
	both("both:2", "arm64")
	both("liar:1", "amd64")
	both("private/both:1", "arm64")
	both("old:1.5.0", "arm64")
	both("old:1.2.9", "arm64")
	for _, ref := range []string{"old:1.2.3", "single:1", "old:1.3.0-rc1"} {
		d, err := imagetest.App("linux/amd64", "amd64", ref).Push(g.host + "/" + ref)
		if err != nil {
			t.Fatal(err)
		}
		g.digests[ref] = d.String()
	}
	g.reset()
	return g
}

// survey runs --readiness linux/arm64 --json, with images' host for @.
func (g *surveyRegistry) survey(t *testing.T, in string, argv ...string) *readiness.Report {
	t.Helper()
	out, errs, code := inject(t, strings.ReplaceAll(in, "@/", g.host+"/"), append([]string{"--readiness", "linux/arm64", "--json"}, argv...)...)
	if code != 0 {
		t.Fatalf("code %d: %s", code, errs)
	}
	r := &readiness.Report{}
	if err := json.Unmarshal([]byte(out), r); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return r
}

// verdicts returns NAMESPACE/KIND/NAME=verdict of each workload.
func verdicts(r *readiness.Report) string {
	var all []string
	for _, w := range r.Workloads {
		all = append(all, w.Namespace+"/"+w.Kind+"/"+w.Name+"="+string(w.Answers[0].Verdict))
	}
	return strings.Join(all, " ")
}

func podOf(name, image, more string) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: x}\nspec:\n  containers:\n  - {name: c, image: '%s'}\n%s", name, image, more)
}

func TestReadinessAsksForEachImageOnce(t *testing.T) {
	g := newSurveyRegistry(t)
	var in strings.Builder
	for n := range 20 {
		in.WriteString(podOf(fmt.Sprint("a", n), "@/both:1", "") + podOf(fmt.Sprint("b", n), "@/both:2", "") + podOf(fmt.Sprint("s", n), "@/single:1", ""))
	}
	r := g.survey(t, in.String())
	if n := len(g.requests("")); n != 4 { // an index is one, a single image two: its config has its platform
		t.Errorf("%d requests: %q", n, g.requests(""))
	}
	p := r.Platforms[0]
	if p.Movable.Workloads != 40 || p.Verdicts[readiness.Blocked].Workloads != 20 || len(p.Blocking) != 1 || p.Blocking[0].Frees.Workloads != 20 {
		t.Errorf("%+v", p)
	}
}

func TestReadinessFindsLiars(t *testing.T) {
	g := newSurveyRegistry(t)
	in := podOf("a", "@/both:1", "") + podOf("b", "@/liar:1", "") + podOf("c", "@/single:1", "")
	if got := verdicts(g.survey(t, in)); got != "x/Pod/a=ready x/Pod/b=ready x/Pod/c=blocked" {
		t.Errorf("without looking: %s", got)
	}
	r := g.survey(t, in, "--verify-binaries", "entrypoint")
	if got := verdicts(r); got != "x/Pod/a=ready x/Pod/b=lying x/Pod/c=blocked" {
		t.Errorf("%s", got)
	}
	if because := r.Workloads[1].Answers[0].Because; len(because) != 1 || !strings.Contains(because[0].Why, "/app is ELF amd64") {
		t.Errorf("%+v", because)
	}
	b := r.Platforms[0].Blocking
	if len(b) != 2 || b[0].Lies == b[1].Lies {
		t.Errorf("%+v", b)
	}
}

// What an index says counts, even if the image's config says the truth.
func TestReadinessBelievesNoConfig(t *testing.T) {
	g := newSurveyRegistry(t)
	spec := imagetest.App("linux/amd64", "amd64", "x")
	if err := pushAs(g.host+"/mislabelled:1", spec, "linux/arm64"); err != nil {
		t.Fatal(err)
	}
	if got := verdicts(g.survey(t, podOf("a", "@/mislabelled:1", ""), "--verify-binaries", "entrypoint")); got != "x/Pod/a=lying" {
		t.Error(got)
	}
}

func TestReadinessReadsWhatRuns(t *testing.T) {
	g := newSurveyRegistry(t)
	status := func(id string) string {
		return "status:\n  phase: Running\n  containerStatuses: [{name: c, imageID: '" + id + "'}]\n"
	}
	// The digest of what runs; the tag has moved to another image since.
	in := podOf("a", "@/single:1", status("docker-pullable://@/both@"+g.digests["both:1"]))
	if got := verdicts(g.survey(t, strings.ReplaceAll(in, "/single:1", "/both:gone"))); got != "x/Pod/a=ready" {
		t.Error(got)
	}
	if asked := g.requests("manifests"); len(asked) != 1 || !strings.HasSuffix(asked[0], g.digests["both:1"]) {
		t.Errorf("%q", asked)
	}
	// A digest that is not there any more: the tag counts.
	gone := "sha256:" + strings.Repeat("0", 64)
	if got := verdicts(g.survey(t, podOf("a", "@/both:1", status("@/both@"+gone)))); got != "x/Pod/a=ready" {
		t.Error(got)
	}
	// Not a digest that a registry knows.
	if got := verdicts(g.survey(t, podOf("a", "@/both:1", status(gone)))); got != "x/Pod/a=ready" {
		t.Error(got)
	}
}

func TestReadinessSuggests(t *testing.T) {
	g := newSurveyRegistry(t)
	r := g.survey(t, podOf("a", "@/old:1.2.3", "")+podOf("b", "@/single:1", ""), "--suggest")
	got := map[string]string{}
	for _, b := range r.Platforms[0].Blocking {
		got[b.Image] = b.Suggested.String()
	}
	if got[g.host+"/old:1.2.3"] != "1.2.9" || got[g.host+"/single:1"] != "no newer tag" {
		t.Errorf("%v", got)
	}
	g.reset()
	g.survey(t, podOf("a", "@/old:1.2.3", ""))
	if n := len(g.requests("tags")); n != 0 {
		t.Errorf("without --suggest, tags are listed %d times", n)
	}
}

func TestReadinessUsesPullSecrets(t *testing.T) {
	g := newSurveyRegistry(t)
	const password = "s3cret-token"
	config := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"auths":{"http://%s/private/":{"auth":%q}}}`, g.host, base64.StdEncoding.EncodeToString([]byte("me:"+password))))
	secret := func(namespace, data string) string {
		return "---\napiVersion: v1\nkind: Secret\nmetadata: {name: regcred, namespace: " + namespace + "}\ntype: kubernetes.io/dockerconfigjson\ndata: {.dockerconfigjson: " + data + "}\n"
	}
	in := secret("x", config) + podOf("a", "@/private/both:1", "  imagePullSecrets: [{name: regcred}]\n")
	r := g.survey(t, in)
	if got := verdicts(r); got != "x/Pod/a=unknown" {
		t.Error(got)
	}
	m := r.Platforms[0].Missing
	if len(m) != 1 || !m[0].Denied || m[0].Host != g.host || m[0].PullSecrets[0] != "x/regcred" || !strings.Contains(strings.Join(m[0].Advice(), "\n"), "--pull-secrets") {
		t.Errorf("%+v", m)
	}
	if got := verdicts(g.survey(t, in, "--pull-secrets")); got != "x/Pod/a=ready" {
		t.Error(got)
	}
	// Another namespace's credential is not used, and nothing of one is printed.
	page := filepath.Join(t.TempDir(), "p.html")
	other := strings.ReplaceAll(secret("y", config)+podOf("a", "@/private/both:1", ""), "@/", g.host+"/")
	wrong := strings.ReplaceAll(secret("x", base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"auths":{%q:{"username":"me","password":"wr0ng-token"}}}`, g.host)))+podOf("a", "@/private/both:1", ""), "@/", g.host+"/")
	broken := secret("x", base64.StdEncoding.EncodeToString([]byte(`{"auths":{"h":"`+password))) + podOf("a", "b", "")
	for _, in := range []string{other, wrong, broken, strings.ReplaceAll(in, "@/", g.host+"/")} {
		out, errs, _ := inject(t, in, "--readiness", "arm64", "--pull-secrets", "--verbose", "--html", page)
		b, _ := os.ReadFile(page)
		for _, text := range []string{password, "wr0ng-token", config, base64.StdEncoding.EncodeToString([]byte("me:" + password))} {
			if strings.Contains(out+errs+string(b), text) {
				t.Errorf("it prints %q:\n%s\n%s", text, out, errs)
			}
		}
	}
	if out, _, _ := inject(t, other, "--readiness", "arm64", "--pull-secrets"); !strings.Contains(out, "unknown") {
		t.Errorf("another namespace's credential was used: %s", out)
	}
}

// A registry that cannot be reached is not tried for each of its images.
func TestReadinessGivesUpOnADeadHost(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	var in strings.Builder
	for n := range 50 {
		in.WriteString(podOf(fmt.Sprint("a", n), fmt.Sprintf("127.0.0.1:1/a%d", n), ""))
	}
	out, errs, code := inject(t, in.String(), "--readiness", "arm64")
	if code != 0 || !strings.Contains(out, "50 unknown") || !strings.Contains(out, "127.0.0.1:1: 50 images in 50 workloads: ") {
		t.Errorf("code %d\n%s\n%s", code, out, errs)
	}
}

// pushAs stores an index that says of an image that it is for a platform.
func pushAs(ref string, spec imagetest.Spec, p string) error {
	img, err := spec.Build()
	if err != nil {
		return err
	}
	os, arch, _ := strings.Cut(p, "/")
	r, err := name.ParseReference(ref, name.Insecure)
	if err != nil {
		return err
	}
	return remote.WriteIndex(r, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: os, Architecture: arch}}}))
}

// A cluster's Pods are hundreds of megabytes, and its workloads are not.
func TestReadinessMemory(t *testing.T) {
	pods := 5_000 // 21 MB
	if testing.Short() {
		pods = 1_000
	}
	in := &flood{documents: pods}
	var out, errs strings.Builder
	code := program().Exec(t.Context(), &command.Env{
		Stdin: in, Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" },
	}, []string{"--readiness", "arm64", "--quiet", "--offline", "--image", "hello=;linux/arm64"})
	if code != 0 || !strings.Contains(out.String(), fmt.Sprintf("%d ready", pods)) {
		t.Errorf("code %d\n%s", code, errs.String())
	}
	if in.peak > 48<<20 {
		t.Errorf("%d MB of memory were in use", in.peak>>20)
	}
	t.Logf("%d MB", in.peak>>20)
}
