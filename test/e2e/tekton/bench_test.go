// Package tekton_test runs the Tasks and Pipelines as they are in the repository, but for the
// registry of the images, on a real Tekton in a cluster of two architectures.
package tekton_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"k8s.io/client-go/dynamic"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// A bench is the cluster with everything installed that the tests need.
type bench struct {
	*cluster.TwoArch
	dynamic   dynamic.Interface
	namespace string
}

// version is the release that the Tasks name.
var version = func() string {
	text, err := os.ReadFile(filepath.Join(repository(), "tasks/detect-arch/detect-arch.yaml"))
	if err != nil {
		panic(err)
	}
	return string(regexp.MustCompile(`ghcr\.io/polyarch/detect-arch:(\S+)`).FindSubmatch(text)[1])
}()

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{TwoArch: cluster.StartTwoArch(t), namespace: "default"}
	// One volume serves pods on both nodes: its files are on this machine. Tekton gives its own init
	// containers a security context only when asked, and a namespace enforces one.
	b.InstallTekton(t, "coschedule=disabled", "set-security-context=true")
	var err error
	if b.dynamic, err = dynamic.NewForConfig(b.Config); err != nil {
		t.Fatal(err)
	}
	b.pushOurs(t)
	b.pushKubectl(t)
	b.pushKo(t)
	b.pushGit(t)
	b.Apply(t, b.namespace, registrySecret)
	b.Apply(t, "", restricted)
	for _, pattern := range []string{"tasks/*/*.yaml", "catalog/pipeline/*/*.yaml"} {
		b.install(t, b.namespace, pattern)
		b.install(t, "restricted", pattern)
	}
	return b
}

// in is the bench as seen from another namespace.
func (b *bench) in(namespace string) *bench {
	other := *b
	other.namespace = namespace
	return &other
}

func repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// pushOurs builds and stitches our images as a release does. In the cluster's network the registry
// is on the loopback address, which needs no flag for plain HTTP.
func (b *bench) pushOurs(t *testing.T) {
	t.Helper()
	make := func(args ...string) *exec.Cmd {
		cmd := exec.Command("make", append(args, "VERSION="+version, "IMAGE_REPO=127.0.0.1:5000/polyarch", "IMAGE_PLATFORMS=linux/amd64,linux/arm64")...)
		cmd.Dir = repository()
		return cmd
	}
	// What has to be fetched is fetched here: no packet leaves the cluster's network.
	if out, err := make("bin/images").CombinedOutput(); err != nil {
		t.Fatalf("building our images: %v\n%s", err, out)
	}
	push := make("push")
	log, err := os.Create(filepath.Join(t.TempDir(), "push.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	push.Stdout, push.Stderr = log, log
	if err := b.Run(push); err != nil {
		out, _ := os.ReadFile(log.Name())
		t.Fatalf("pushing our images: %v\n%s", err, out)
	}
}

// pushKubectl stands in for registry.k8s.io/kubectl. The program is amd64 on both nodes.
func (b *bench) pushKubectl(t *testing.T) {
	t.Helper()
	b.Push(t, "kubectl:"+kubernetesVersion, cluster.Image{
		Arch:       "amd64",
		Files:      map[string]string{"/bin/kubectl": tool.Build(t, tool.Kubectl)},
		Entrypoint: []string{"/bin/kubectl"},
	})
}

const kubernetesVersion = "v1.36.3"

// hosts are the registries that the repository's YAML takes images from.
var hosts = regexp.MustCompile(`\b(ghcr\.io|registry\.k8s\.io|quay\.io|cgr\.dev|docker\.io)/`)

func (b *bench) local(documents string) string {
	return hosts.ReplaceAllString(documents, b.Registry+"/")
}

// install applies the files that match a pattern of the repository.
func (b *bench) install(t *testing.T, namespace, pattern string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repository(), pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file matches %s", pattern)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b.Apply(t, namespace, b.local(string(text)))
	}
}
