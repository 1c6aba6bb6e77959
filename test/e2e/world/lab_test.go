package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

const version = "v0.2.0"

const tapToken, gitlabToken = "ghp_of-the-tap", "glpat-of-the-mirror"

const registryUser, registryPassword = "releaser", "of the registry"

// A world is a repository that is released, and what is outside of it.
type world struct {
	dir      string
	tree     string // the repository, at the tag
	origin   string // what it is pushed to
	tap      string // Homebrew's, and
	mirror   string // GitLab's repository
	github   *github
	proxy    *proxy
	proxyURL string
	images   http.Handler // of the registry
	registry string       // HOST:PORT
	keep     string       // what a job leaves
	home     string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{dir: dir, tree: filepath.Join(dir, "polyarch"), origin: filepath.Join(dir, "origin"), tap: filepath.Join(dir, "tap"), mirror: filepath.Join(dir, "mirror"), keep: filepath.Join(dir, "keep"), home: filepath.Join(dir, "home"), github: &github{}}
	for _, d := range []string{w.tree, w.origin, w.keep, w.home, filepath.Join(dir, "blobs")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	images := registry.New(registry.WithBlobHandler(registry.NewDiskBlobHandler(filepath.Join(dir, "blobs"))), registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true))
	w.images = images
	w.proxy = newProxy(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Host == "ghcr.io" {
			images.ServeHTTP(rw, r)
			return
		}
		w.github.ServeHTTP(rw, r)
	}))
	w.registry = listen(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != registryUser || password != registryPassword {
			rw.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			http.Error(rw, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
			return
		}
		images.ServeHTTP(rw, r)
	}))
	w.proxyURL = "http://" + listen(t, w.proxy)
	w.write(t, filepath.Join(w.home, ".gitconfig"), "[user]\nname = a\nemail = a@example.com\n[url \"file://"+w.origin+"\"]\ninsteadOf = https://github.com/polyarch/polyarch\n"+
		"[url \"file://"+w.tap+"\"]\ninsteadOf = https://github.com/polyarch/homebrew-tap\n[url \"file://"+w.mirror+"\"]\ninsteadOf = https://gitlab.com/polyarch/polyarch.git\n")
	return w
}

func listen(t *testing.T, handler http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, handler)
	return l.Addr().String()
}

func (w *world) write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// release makes a copy of this repository a release, as CONTRIBUTING says.
func (w *world) release(t *testing.T) {
	t.Helper()
	w.copyTree(t)
	for _, command := range []string{
		"make prepare VERSION=" + version,
		"git commit --quiet --all --message Release",
		"git tag " + version,
		"git push --quiet origin main " + version,
	} {
		w.must(t, w.tree, "bash", "-c", command)
	}
}

// copyTree copies this repository's files, as they are now, into one of its own.
func (w *world) copyTree(t *testing.T) {
	t.Helper()
	copying := fmt.Sprintf("git -C %q ls-files -z | tar -C %q --null --files-from - --ignore-failed-read -cf - 2> /dev/null | tar -C %q -xf -", repository(), repository(), w.tree)
	w.must(t, w.dir, "bash", "-c", copying)
	for _, bare := range []string{w.origin, w.tap, w.mirror} {
		w.must(t, w.dir, "git", "init", "--quiet", "--bare", "--initial-branch=main", bare)
	}
	for _, command := range []string{
		"git init --quiet --initial-branch=main",
		"git remote add origin https://github.com/polyarch/polyarch",
		"git add --all",
		"git commit --quiet --message x",
	} {
		w.must(t, w.tree, "bash", "-c", command)
	}
}

// clone is what the world sees of the repository: what a tag on GitHub has.
func (w *world) clone(t *testing.T, ref string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "polyarch")
	w.must(t, w.dir, "git", "clone", "--quiet", "--depth", "1", "--branch", ref, "file://"+w.origin, dir)
	return dir
}

// trusting is the environment of a program that takes our servers for the real
// ones.
func (w *world) trusting() []string {
	return []string{
		"HTTPS_PROXY=" + w.proxyURL, "https_proxy=" + w.proxyURL, "NO_PROXY=127.0.0.1,localhost",
		"SSL_CERT_FILE=" + w.proxy.authority, "CURL_CA_BUNDLE=" + w.proxy.authority,
	}
}

// environment is that of every program here: a home of its own, this machine's
// caches of what was compiled and fetched, and the world.
func (w *world) environment(t *testing.T) []string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	// Compiled packages are found again in another folder if they do not name it.
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.home, "LANG=C.UTF-8", "CGO_ENABLED=0", "GOFLAGS=-trimpath", "XDG_CACHE_HOME=" + cache}
	for _, v := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN"} {
		out, err := exec.CommandContext(t.Context(), "go", "env", v).Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, v+"="+strings.TrimSpace(string(out)))
	}
	return append(env, w.trusting()...)
}

type outcome struct {
	code int
	out  string
}

// run runs a program, and all that it starts ends with it.
func (w *world) run(t *testing.T, dir string, env []string, name string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(w.environment(t), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var code *exec.ExitError
	if err != nil && !errors.As(err, &code) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String()}
}

func (w *world) must(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	got := w.run(t, dir, nil, name, args...)
	if got.code != 0 {
		t.Fatalf("%s %s: exit code %d\n%s", name, strings.Join(args, " "), got.code, got.out)
	}
	return got.out
}

// act runs workflows of the project in dir, with the steps' actions at these
// places and the world around its jobs.
func (w *world) act(t *testing.T, dir string, event any, repositories map[string]string, args ...string) outcome {
	t.Helper()
	b, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{
		"push", "--eventpath", w.write(t, filepath.Join(t.TempDir(), "event.json"), string(b)), "-P", "ubuntu-24.04=-self-hosted", "--no-cache-server",
		"--env", "KEEP=" + w.keep, "--env", "RUNNER_TOOL_CACHE=" + t.TempDir(), "--env", "DOCKER_CONFIG=" + t.TempDir(),
	}
	for _, v := range w.environment(t) {
		if !strings.HasPrefix(v, "PATH=") {
			argv = append(argv, "--env", v)
		}
	}
	for action, path := range repositories {
		argv = append(argv, "--local-repository", action+"="+path)
	}
	// its own folder for what it copies, which it does not share with other runs
	return w.run(t, dir, []string{"XDG_CACHE_HOME=" + t.TempDir()}, tool.Build(t, tool.Act), append(argv, args...)...)
}

// repository is this repository's root.
func repository() string { return filepath.Dir(filepath.Dir(filepath.Dir(tool.ToolsDir()))) }
