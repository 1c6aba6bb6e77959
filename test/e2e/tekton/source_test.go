package tekton_test

import (
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// A source is a git repository with the sample in samples/hello, as ours has it. Pods have it in the
// volume of the claim "source", and clone it from url.
type source struct {
	volume string // folder of the volume
	url    string
	origin string // folder of the repository that url serves

	lookedUp chan func() // what is to be done once, after somebody has asked what the branches are
}

// newSource makes the repository with a configuration for ko: where it takes the base image from.
func (b *bench) newSource(t *testing.T) *source {
	t.Helper()
	s := &source{volume: t.TempDir(), url: "http://" + cluster.Host + ":8080/hello", origin: filepath.Join(t.TempDir(), "hello"), lookedUp: make(chan func(), 1)}
	origin := s.origin
	sample := filepath.Join(origin, "samples/hello")
	if err := os.CopyFS(sample, os.DirFS(filepath.Join(repository(), "samples/hello"))); err != nil {
		t.Fatal(err)
	}
	config := "defaultBaseImage: " + b.Registry + "/static:1\n"
	if err := os.WriteFile(filepath.Join(sample, ".ko.yaml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	git(t, origin, "init", "--quiet", "--initial-branch=main")
	git(t, origin, "add", "--all")
	git(t, origin, "-c", "user.name=e2e", "-c", "user.email=e2e@example.com", "commit", "--quiet", "--message=Sample")
	b.serveGit(t, filepath.Dir(origin), s.lookedUp)
	git(t, s.volume, "clone", "--quiet", origin, "source")
	s.volume = filepath.Join(s.volume, "source")
	b.Apply(t, b.namespace, strings.ReplaceAll(volume, "{path}", s.volume))
	return s
}

// volume is a folder of this machine, which both nodes are.
const volume = `apiVersion: v1
kind: PersistentVolume
metadata: {name: source}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteMany]
  storageClassName: ""
  hostPath: {path: "{path}"}
  claimRef: {namespace: default, name: source}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: source}
spec:
  accessModes: [ReadWriteMany]
  storageClassName: ""
  volumeName: source
  resources: {requests: {storage: 1Gi}}
`

// freeVolume is one that any claim may have.
const freeVolume = `apiVersion: v1
kind: PersistentVolume
metadata: {name: free}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  hostPath: {path: "{path}"}
`

// reset takes the volume back to what was committed, writable for every user.
func (s *source) reset(t *testing.T) {
	t.Helper()
	git(t, s.volume, "reset", "--quiet", "--hard")
	git(t, s.volume, "clean", "--quiet", "--force", "-d")
	openToAll(t, s.volume)
}

// openToAll lets every user write a folder: the steps of a run have several.
func openToAll(t *testing.T, dir string) {
	t.Helper()
	if out, err := exec.Command("chmod", "-R", "a+rwX", dir).CombinedOutput(); err != nil {
		t.Fatalf("opening %s: %v\n%s", dir, err, out)
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "safe.directory=*"}, args...)...)
	if args[0] == "init" {
		cmd = exec.Command("git", append(args, dir)...)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("running %s: %v\n%s", cmd, err, out)
	}
}

// commit adds a file to the repository's branch main and returns the commit.
func (s *source) commit(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.origin, path), []byte(text), 0o644); err != nil {
		t.Error(err)
	}
	git(t, s.origin, "add", "--all")
	git(t, s.origin, "-c", "user.name=e2e", "-c", "user.email=e2e@example.com", "commit", "--quiet", "--message="+path)
}

// head is the commit that the branch main is at.
func (s *source) head(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("git", "-C", s.origin, "rev-parse", "main").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// serveGit serves the repositories below a folder by git's own HTTP backend. What is in lookedUp is done
// after the next request that names refs or fetches, before its answer is complete.
func (b *bench) serveGit(t *testing.T, root string, lookedUp <-chan func()) {
	t.Helper()
	exe, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(exe)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	server := &http.Server{ErrorLog: log.New(os.Stderr, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		backend.ServeHTTP(w, r)
		if r.Method == http.MethodPost {
			select {
			case do := <-lookedUp:
				do()
			default:
			}
		}
	})}
	l := b.Listen(t, "8080")
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

// pushGit stands in for an image with git and a shell: Debian's. The program is amd64 on both nodes.
func (b *bench) pushGit(t *testing.T) {
	t.Helper()
	root, err := tool.Debian(t.Context(), t.Logf, "amd64", "git", "dash", "coreutils", "sed")
	if err != nil {
		t.Fatal(err)
	}
	b.Push(t, gitImage, cluster.Image{Arch: "amd64", Files: map[string]string{"/": root, "/bin/sh": "-> dash"}, Entrypoint: []string{"/usr/bin/git"}, Env: []string{"PATH=/usr/bin:/bin"}})
}

const gitImage = "alpine/git:v2.49.1"
