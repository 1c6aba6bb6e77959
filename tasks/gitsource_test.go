package tasks

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tektoncd/pipeline/pkg/substitution"
)

// A gitServer has a repository with two commits on main, the first of which is the annotated tag v1 and
// the branch old, and a pull request that is not merged.
type gitServer struct {
	url, password       string // of its HTTP; password: what it asks for
	dir                 string
	first, second, pull string
}

func newGitServer(t *testing.T, password string) *gitServer {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	s := &gitServer{dir: filepath.Join(root, "app"), password: password}
	s.git(t, root, "init", "--quiet", "--initial-branch=main", "app")
	commit := func(text string) string {
		if err := os.WriteFile(filepath.Join(s.dir, "file"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s.git(t, s.dir, "add", "--all")
		s.git(t, s.dir, "commit", "--quiet", "--message="+text)
		return s.git(t, s.dir, "rev-parse", "HEAD")
	}
	s.first = commit("first")
	s.git(t, s.dir, "tag", "--annotate", "--message=x", "v1")
	s.git(t, s.dir, "branch", "old")
	s.git(t, s.dir, "branch", "feature/main") // ends like main
	s.pull = commit("pull")
	s.git(t, s.dir, "update-ref", "refs/pull/7/head", s.pull)
	s.git(t, s.dir, "reset", "--quiet", "--hard", s.first)
	s.second = commit("second")
	exe := s.git(t, root, "--exec-path")
	handler := &cgi.Handler{Path: filepath.Join(exe, "git-http-backend"), Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, got, _ := r.BasicAuth(); password != "" && (user != "me" || got != password) {
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL + "/app"
	return s
}

func (s *gitServer) git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// gitSource runs the step as Tekton's entrypoint would.
func gitSource(t *testing.T, folder string, params, workspaces map[string]string, env ...string) (results map[string]string, said string, err error) {
	t.Helper()
	spec := taskRun{task: "git-source"}.find(t)
	dir := t.TempDir()
	texts := map[string]string{"workspaces.output.path": folder}
	for _, p := range spec.Params {
		texts["params."+p.Name] = p.Name
		if p.Default != nil {
			texts["params."+p.Name] = p.Default.StringVal
		}
		if v, ok := params[p.Name]; ok {
			texts["params."+p.Name] = v
		}
	}
	for _, w := range []string{"basic-auth", "ssh-directory", "ssl-ca-directory"} {
		texts["workspaces."+w+".path"] = workspaces[w]
	}
	for _, r := range spec.Results {
		texts["results."+r.Name+".path"] = filepath.Join(dir, r.Name)
	}
	step := spec.Steps[0]
	cmd := exec.Command(step.Command[0], append(step.Command[1:], step.Args...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, e := range step.Env {
		cmd.Env = append(cmd.Env, e.Name+"="+strings.ReplaceAll(substitution.ApplyReplacements(e.Value, texts), "/tekton/home", home))
	}
	out, err := cmd.CombinedOutput()
	if left, _ := os.ReadDir(home); len(left) > 0 {
		t.Errorf("it left %v for the steps after it", left)
	}
	return files(spec, dir), string(out), err
}

func TestGitSource(t *testing.T) {
	s := newGitServer(t, "")
	for revision, want := range map[string]string{
		"main": s.second, "": s.second, "v1": s.first, "old": s.first, "refs/heads/old": s.first, "refs/tags/v1": s.first,
		"refs/pull/7/head": s.pull, s.first: s.first, s.pull: s.pull, "feature/main": s.first,
	} {
		folder := filepath.Join(t.TempDir(), "source")
		results, said, err := gitSource(t, folder, map[string]string{"url": s.url, "revision": revision}, nil)
		if err != nil {
			t.Errorf("%s: %v\n%s", revision, err, said)
			continue
		}
		for name, value := range map[string]string{"commit": want, "CHAINS-GIT_COMMIT": want, "url": s.url, "CHAINS-GIT_URL": s.url} {
			if results[name] != value {
				t.Errorf("%s: result %s is %q, want %q", revision, name, results[name], value)
			}
		}
		if head := s.git(t, folder, "rev-parse", "HEAD"); head != want {
			t.Errorf("%s: %s is checked out, want %s", revision, head, want)
		}
		if n := s.git(t, folder, "rev-list", "--count", "HEAD"); n != "1" {
			t.Errorf("%s: %s commits were fetched", revision, n)
		}
	}
	for _, c := range []struct{ revision, want string }{
		{"none", "error: there is no branch, tag or ref none in " + s.url},
		{"ma", "error: there is no branch, tag or ref ma in "},
		{strings.Repeat("0", 40), "error: checking out 0000"},
		{"--upload-pack=x", `error: the revision "--upload-pack=x" starts with -`},
	} {
		results, said, err := gitSource(t, t.TempDir(), map[string]string{"url": s.url, "revision": c.revision}, nil)
		if err == nil || !strings.Contains(said, c.want) || results["commit"] != "" {
			t.Errorf("%s: %v %v\n%s", c.revision, err, results, said)
		}
	}
}

// A branch that moves after it was looked up: whoever takes the commit has what was meant.
func TestGitSourceResolvesOnce(t *testing.T) {
	s := newGitServer(t, "")
	none := filepath.Join(t.TempDir(), "none")
	resolved, said, err := gitSource(t, none, map[string]string{"url": s.url, "revision": "main", "checkout": "false"}, nil)
	if err != nil || resolved["commit"] != s.second {
		t.Fatalf("%v %v\n%s", resolved, err, said)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("it made a folder")
	}
	s.git(t, s.dir, "commit", "--quiet", "--allow-empty", "--message=third")
	s.git(t, s.dir, "update-ref", "refs/heads/other", s.first)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, ".left"), nil, 0o644); err != nil { // of a run before
		t.Fatal(err)
	}
	again, said, err := gitSource(t, folder, map[string]string{"url": s.url, "revision": resolved["commit"]}, nil)
	if err != nil || again["commit"] != s.second || s.git(t, folder, "rev-parse", "HEAD") != s.second {
		t.Errorf("%v %v\n%s", again, err, said)
	}
	if _, err := os.Stat(filepath.Join(folder, ".left")); err == nil {
		t.Error("what was in the folder is still there")
	}
}

func TestGitSourceOptions(t *testing.T) {
	s := newGitServer(t, "")
	folder := t.TempDir()
	if _, said, err := gitSource(t, folder, map[string]string{"url": s.url, "revision": "main", "depth": "0", "refspec": "+refs/heads/*:refs/remotes/origin/*"}, nil); err != nil || s.git(t, folder, "rev-list", "--count", "HEAD") != "2" {
		t.Errorf("%v\n%s", err, said)
	}
	// a repository in the repository
	inner := newGitServer(t, "")
	s.git(t, s.dir, "submodule", "--quiet", "add", inner.url, "inner")
	s.git(t, s.dir, "commit", "--quiet", "--message=inner")
	for submodules, there := range map[string]bool{"true": true, "false": false} {
		folder := t.TempDir()
		_, said, err := gitSource(t, folder, map[string]string{"url": s.url, "revision": "main", "submodules": submodules}, nil)
		_, missing := os.Stat(filepath.Join(folder, "inner", "file"))
		if err != nil || (missing == nil) != there {
			t.Errorf("submodules %s: %v, %v\n%s", submodules, err, missing, said)
		}
	}
	// a proxy: it is asked in place of the server
	asked := make(chan string, 8)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	_, said, err := gitSource(t, t.TempDir(), map[string]string{"url": "http://git.invalid/app", "proxy": proxy.URL}, nil)
	if err == nil || len(asked) == 0 || <-asked != "git.invalid" {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestGitSourceCredentials(t *testing.T) {
	s := newGitServer(t, "secret")
	params := map[string]string{"url": s.url, "revision": "main"}
	if _, said, err := gitSource(t, t.TempDir(), params, nil); err == nil || !strings.Contains(said, "error: reading "+s.url) {
		t.Errorf("without a credential: %v\n%s", err, said)
	}
	auth := t.TempDir()
	line := strings.Replace(s.url, "http://", "http://me:secret@", 1)
	if err := os.WriteFile(filepath.Join(auth, ".git-credentials"), []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	results, said, err := gitSource(t, t.TempDir(), params, map[string]string{"basic-auth": auth})
	if err != nil || results["commit"] != s.second || strings.Contains(said, "secret") {
		t.Errorf("%v %v\n%s", results, err, said)
	}
	// in the URL itself: it works, and goes no further
	params["url"] = line
	results, said, err = gitSource(t, t.TempDir(), params, nil)
	if err != nil || results["url"] != s.url || strings.Contains(said, "secret") {
		t.Errorf("%v %v\n%s", results, err, said)
	}

	// ssh: a program in its place shows what it was given, and runs what the server would
	bin, keys := t.TempDir(), t.TempDir()
	fake := "#!/bin/sh\necho \"ssh $*\" >> " + bin + "/log\nfor a; do case $a in */id_ed25519) cat \"$a\" >> " + bin + "/log ;; esac; last=$a; done\nexec sh -c \"$last\"\n"
	for path, text := range map[string]string{bin + "/ssh": fake, keys + "/id_ed25519": "the key\n", keys + "/known_hosts": "host\n"} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	params["url"] = "git@host.invalid:" + s.dir
	results, said, err = gitSource(t, t.TempDir(), params, map[string]string{"ssh-directory": keys}, "PATH="+bin+":"+os.Getenv("PATH"))
	log, _ := os.ReadFile(filepath.Join(bin, "log"))
	if err != nil || results["commit"] != s.second || !strings.Contains(string(log), "the key\n") || !strings.Contains(string(log), "UserKnownHostsFile=") {
		t.Errorf("%v %v\n%s%s", results, err, said, log)
	}
}
