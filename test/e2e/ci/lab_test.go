package ci

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

const version = "v0.0.0-e2e"

// A lab is what all tests of this package share.
type lab struct {
	registry  string // HOST:PORT
	releases  string // URL
	authority string // a file with the certificate of that server
	command   string // the build command: the demo's cross-compiler
}

var shared *lab

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "polyarch-ci-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := run(m, dir)
	os.RemoveAll(dir)
	os.Exit(code)
}

func run(m *testing.M, dir string) int {
	ctx, cancel := context.WithCancel(context.Background()) // what is compiled first takes as long as it takes: go test has a time limit
	defer cancel()
	l, err := furnish(ctx, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "ci:", err)
		return 1
	}
	shared = l
	return m.Run()
}

// furnish builds a release and serves it, and starts a registry; both end with this process.
func furnish(ctx context.Context, dir string) (*lab, error) {
	l := &lab{command: filepath.Join(dir, "demo") + " build"}
	dist := filepath.Join(dir, "releases", version)
	for _, argv := range [][]string{
		{"hack/release.sh", version, dist, runtime.GOOS + "_" + runtime.GOARCH},
		{"go", "build", "-o", filepath.Join(dir, "demo"), "./hack/demo"},
	} {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Dir = repository()
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("running %s: %w\n%s", cmd, err, out)
		}
	}
	// the same release with a byte too many
	if err := os.CopyFS(filepath.Join(dir, "releases", "spoiled", version), os.DirFS(dist)); err != nil {
		return nil, err
	}
	archive := filepath.Join(dir, "releases", "spoiled", version, "polyarch_"+version+"_"+runtime.GOOS+"_"+runtime.GOARCH+".tar.gz")
	f, err := os.OpenFile(archive, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	f.WriteString("x")
	f.Close()
	server := httptest.NewTLSServer(http.FileServer(http.Dir(filepath.Join(dir, "releases"))))
	l.releases, l.authority = server.URL, filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(l.authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644); err != nil {
		return nil, err
	}
	return l, l.startRegistry(dir)
}

func (l *lab) startRegistry(dir string) error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l.registry = free.Addr().String()
	free.Close()
	config := filepath.Join(dir, "registry.yml")
	text := "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: " + dir + "/registry}}\nhttp: {addr: '" + l.registry + "'}\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	var out bytes.Buffer
	cmd := exec.Command("docker-registry", "serve", config)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the registry dies with the thread that starts it
		started <- cmd.Start()
		cmd.Wait()
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting docker-registry: %w", err)
	}
	for range 100 {
		if c, err := net.Dial("tcp", l.registry); err == nil {
			return c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("starting docker-registry: it does not listen on %s\n%s", l.registry, out.String())
}

// repository is this repository's root.
func repository() string { return filepath.Dir(filepath.Dir(filepath.Dir(tool.ToolsDir()))) }

// mixed makes the cluster one of amd64 nodes, and arm64 nodes with the taint that GKE puts on
// them.
func mixed(t *testing.T) *cluster.ControlPlane {
	t.Helper()
	c := cluster.Shared(t)
	arm := cluster.Node("arm", "linux", "arm64")
	arm.Spec.Taints = []corev1.Taint{{Key: "kubernetes.io/arch", Value: "arm64", Effect: corev1.TaintEffectNoSchedule}}
	cordoned := cluster.Node("cordoned", "linux", "s390x")
	cordoned.Spec.Unschedulable = true
	c.SetNodes(t, cluster.Node("amd", "linux", "amd64"), arm, cordoned)
	return c
}

// A project is a git repository of somebody who uses polyarch: the sample in hello/, and files.
type project struct {
	dir, home, keep string // keep: for what a job leaves, since its workspace may be a copy

	serves []string // flags of act for its cache; without them it has none
	path   string   // a folder with a program for the jobs
}

func newProject(t *testing.T, origin string, files map[string]string) *project {
	t.Helper()
	p := &project{dir: t.TempDir(), home: t.TempDir(), keep: t.TempDir()}
	if err := os.CopyFS(filepath.Join(p.dir, "hello"), os.DirFS(filepath.Join(repository(), "samples", "hello"))); err != nil {
		t.Fatal(err)
	}
	values := strings.NewReplacer("{registry}", shared.registry, "{releases}", shared.releases, "{version}", version, "{command}", shared.command)
	for path, text := range files {
		path = filepath.Join(p.dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(values.Replace(text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, argv := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "--all"},
		{"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message=x"},
		{"remote", "add", "origin", origin},
	} {
		if got := p.run(t, nil, "git", argv...); got.code != 0 {
			t.Fatalf("git %s: %s", argv, got.out)
		}
	}
	return p
}

type outcome struct {
	code int
	out  string
}

// run runs a program in the project, with a home folder of its own and Go's caches of this machine.
func (p *project) run(t *testing.T, env []string, program string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = p.dir
	cmd.Env = append([]string{"PATH=" + strings.TrimPrefix(p.path+":"+os.Getenv("PATH"), ":"), "HOME=" + p.home, "LANG=C.UTF-8", "CURL_CA_BUNDLE=" + shared.authority, "CGO_ENABLED=0", "GOFLAGS=-mod=mod"}, goCaches(t)...)
	cmd.Env = append(cmd.Env, env...)
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

func goCaches(t *testing.T) []string {
	t.Helper()
	var env []string
	for _, v := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN"} {
		out, err := exec.CommandContext(t.Context(), "go", "env", v).Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, v+"="+strings.TrimSpace(string(out)))
	}
	return env
}

func (p *project) read(t *testing.T, dir, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// index returns the digest and the platforms of an index as its registry has it.
func index(t *testing.T, ref string) (digest string, platforms []string) {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	d, err := remote.Get(r, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	idx, err := d.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	m, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range m.Manifests {
		platforms = append(platforms, c.Platform.String())
	}
	return d.Digest.String(), platforms
}

// scheduled applies the sample's Pod as the manifests say it now, and fails if no node takes it.
func scheduled(t *testing.T, c *cluster.ControlPlane, manifest, digest string) {
	t.Helper()
	for _, want := range []string{"kubernetes.io/arch", "arm64", "tolerations:", "@" + digest} {
		if !strings.Contains(manifest, want) {
			t.Errorf("the manifest lacks %s:\n%s", want, manifest)
		}
	}
	namespace := c.Namespace(t)
	c.Apply(t, namespace, manifest)
	if node, refused := c.Scheduled(t, namespace, "hello"); node != "amd" && node != "arm" {
		t.Errorf("the pod is on %q; %s", node, refused)
	}
}
