package builders

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const platforms = "linux/amd64,linux/arm64"

// A builder is one as these tests run it.
type builder struct {
	name  string
	start func(*testing.T) // its daemon
	env   []string
	args  []string // for stitch-index
	after []string // the command after --
}

var builders = []builder{
	{name: "buildah", args: []string{"--builder", "buildah"}},
	// A daemon for each build: before the one that stays, whose socket it would find.
	{name: "buildkit-daemonless", env: []string{"BUILDKITD_FLAGS=--config " + lab + "/buildkitd.toml"}, args: []string{"--builder", "buildkit"}},
	{name: "buildkit", start: startBuildkit, args: []string{"--builder", "buildkit"}},
	{name: "buildx", start: createInstance, env: []string{"BUILDX_BUILDER=remote"}, args: []string{"--builder", "buildx"}},
	{name: "docker", start: startDocker, env: []string{"DOCKER_HOST=" + dockerHost, "PATH=" + lab + "/docker:" + lab + "/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		args: []string{"--builder", "docker", "--builder-arg", "--network=host"}},
	{name: "custom", args: []string{"--jobs", "1"}, after: []string{"sh", "-c", `
set -e
buildah build --quiet --platform $PLATFORM --build-arg BUILDPLATFORM=linux/amd64 --build-arg GOLANG=` + registry + `/base/golang:1 -f ${FILE:-Dockerfile} -t $IMAGE .
buildah push --quiet $IMAGE oci:$OCI_LAYOUT`}},
}

// TestBuilders has every builder make the same three images: one that cross-compiles, one that runs
// its own program while it is built, and one that has amd64's program for arm64, which is refused.
func TestBuilders(t *testing.T) {
	sample := filepath.Join(root(), "samples/hello")
	emulating := t.TempDir()
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.Command("go", "build", "-C", sample, "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(emulating, "hello-"+arch), ".")
		cmd.Env = environ("CGO_ENABLED=0", "GOARCH="+arch)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for name, text := range map[string]string{
		"Dockerfile": "FROM " + registry + "/base/busybox:1\nARG TARGETARCH\nCOPY hello-${TARGETARCH} /hello\nRUN /hello && uname -m >/machine\nENTRYPOINT [\"/hello\"]\n",
		"Wrong":      "FROM scratch\nCOPY hello-amd64 /hello\nENTRYPOINT [\"/hello\"]\n",
	} {
		if err := os.WriteFile(filepath.Join(emulating, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	withoutEmulation(t, emulating)
	emulate(t)
	for _, b := range builders {
		t.Run(b.name, func(t *testing.T) {
			if b.start != nil {
				b.start(t)
			}
			build := func(image string, env []string, args ...string) run {
				args = append([]string{"--image", registry + "/" + b.name + "/" + image, "--tag", "v1", "--platform", platforms}, append(args, b.args...)...)
				if b.after != nil {
					args = append(append(args, "--"), b.after...)
				}
				return stitch(t, append(b.env, env...), args...)
			}
			crossArgs := []string{"--context", sample}
			wrongArgs := []string{"--context", emulating}
			if b.after == nil {
				crossArgs = append(crossArgs, "--build-arg", "GOLANG="+registry+"/base/golang:1")
				wrongArgs = append(wrongArgs, "--dockerfile", "Wrong")
			}
			runs(t, b.name+"/cross", build("cross", nil, crossArgs...))
			runs(t, b.name+"/run", build("run", nil, "--context", emulating))
			refused(t, b.name+"/wrong", build("wrong", []string{"FILE=Wrong"}, wrongArgs...))
		})
	}
}

// runs checks an index by running what is in it.
func runs(t *testing.T, image string, r run) {
	t.Helper()
	if r.Code != 0 {
		t.Fatalf("exit code %d\n%s", r.Code, r.Stderr)
	}
	index, err := remote.Index(reference(image + ":v1"))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if want := registry + "/" + image + ":v1@" + digest.String() + "\n"; !strings.HasPrefix(r.Stdout, want) {
		t.Errorf("it prints\n%s\nwant first\n%s", r.Stdout, want)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range manifest.Manifests {
		if m.Platform.OS == "unknown" { // BuildKit's provenance
			continue
		}
		child, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		got[m.Platform.String()] = start(t, child)
	}
	want := map[string]string{
		"linux/amd64": "Hello world! Running on linux/amd64\n",
		"linux/arm64": "Hello world! Running on linux/arm64\n",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("what the images of %s print: %s", image, d)
	}
}

// refused checks that a wrong image got no tag.
func refused(t *testing.T, image string, r run) {
	t.Helper()
	if r.Code != 1 || r.Stdout != "" || !regexp.MustCompile(`error: .*/hello .*amd64`).MatchString(r.Stderr) {
		t.Errorf("an amd64 program in an arm64 image: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if _, err := remote.Head(reference(image + ":v1")); err == nil {
		t.Errorf("%s:v1 is there", image)
	}
}

// withoutEmulation checks the messages where the kernel cannot run a build's programs.
func withoutEmulation(t *testing.T, context string) {
	if emulated() {
		t.Log("skip: this machine runs arm64 programs, so the message for one that does not cannot be had")
		return
	}
	r := stitch(t, nil, "--image", registry+"/none", "--tag", "v1", "--platform", platforms, "--context", context)
	// buildah does not always print "exec format error"
	for _, want := range []string{"stitch-index: building with buildah: there is a Dockerfile, and buildah is installed\n", "hint: install emulation: "} {
		if !strings.Contains(r.Stderr, want) {
			t.Errorf("without emulation it does not say %q:\n%s", want, r.Stderr)
		}
	}
	if r.Code != 1 || r.Stdout != "" {
		t.Errorf("without emulation: exit code %d, %q", r.Code, r.Stdout)
	}
}

// TestKo builds without a Dockerfile, and all platforms in one call.
func TestKo(t *testing.T) {
	emulate(t)
	sample := filepath.Join(root(), "samples/hello")
	r := stitch(t, []string{"KO_DEFAULTBASEIMAGE=" + registry + "/base/busybox:1"},
		"--image", registry+"/ko", "--tag", "v1", "--platform", platforms, "--context", sample, "--builder", "ko", "--builder-arg", "--sbom=none")
	runs(t, "ko", r)
}

// TestNativeLegs builds each platform separately, as a job on its own machine does, and then
// stitches.
func TestNativeLegs(t *testing.T) {
	sample := filepath.Join(root(), "samples/hello")
	var sources []string
	for _, p := range strings.Split(platforms, ",") {
		r := stitch(t, nil, "--image", registry+"/native", "--tag", "v1", "--platform", p, "--no-stitch",
			"--context", sample, "--builder", "buildah", "--build-arg", "GOLANG="+registry+"/base/golang:1")
		if r.Code != 0 {
			t.Fatalf("exit code %d\n%s", r.Code, r.Stderr)
		}
		if !regexp.MustCompile(`^` + registry + `/native:v1_linux_[a-z0-9]+@sha256:[0-9a-f]{64}=` + p + "\n$").MatchString(r.Stdout) {
			t.Errorf("%s: it prints %q", p, r.Stdout)
		}
		sources = append(sources, strings.TrimSpace(r.Stdout))
	}
	runs(t, "native", stitch(t, nil, append([]string{"--image", registry + "/native", "--tag", "v1"}, sources...)...))
}

// TestAStoppedBuildLeavesNothing ends stitch-index while a RUN sleeps.
func TestAStoppedBuildLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM "+registry+"/base/busybox:1\nRUN [\"/bin/busybox\", \"sleep\", \"4242\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(lab, "bin/stitch-index"), "--image", registry+"/stopped", "--tag", "v1", "--platform", "linux/amd64", "--context", dir, "--builder", "buildah")
	cmd.Env = environ()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sleeping := func() bool {
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, f := range files {
			if b, _ := os.ReadFile(f); strings.HasPrefix(string(b), "/bin/busybox\x00sleep\x004242") {
				return true
			}
		}
		return false
	}
	for deadline := time.Now().Add(30 * time.Second); !sleeping(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the build does not begin to sleep")
		}
	}
	stopped := time.Now()
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 143 {
		t.Errorf("exit code %d", code)
	}
	t.Logf("it ended %s after the signal", time.Since(stopped).Round(time.Millisecond))
	for deadline := time.Now().Add(5 * time.Second); sleeping(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the build still sleeps")
		}
	}
}

func startBuildkit(t *testing.T) {
	t.Helper()
	const socket = "/run/buildkit/buildkitd.sock"
	os.Remove(socket) // of a daemon that is gone
	ready := func() error {
		cmd := exec.Command(filepath.Join(lab, "bin/buildctl"), "debug", "workers")
		cmd.Env = environ()
		return cmd.Run()
	}
	if err := daemon("buildkitd", ready, "buildkitd", "--config", lab+"/buildkitd.toml"); err != nil {
		t.Fatal(err)
	}
}

func createInstance(t *testing.T) {
	t.Helper()
	cmd := exec.Command(filepath.Join(lab, "bin/buildx"), "create", "--name", "remote", "--driver", "remote", "unix:///run/buildkit/buildkitd.sock")
	cmd.Env = environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

const dockerHost = "unix:///run/lab-docker.sock"

// startDocker starts Debian's dockerd; it needs nothing of the network.
func startDocker(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll(lab+"/docker", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr/bin/docker", lab+"/docker/docker"); err != nil { // the client of the same release
		t.Fatal(err)
	}
	ready := func() error {
		cmd := exec.Command("/usr/bin/docker", "version")
		cmd.Env = environ("DOCKER_HOST=" + dockerHost)
		return cmd.Run()
	}
	err := daemon("dockerd", ready, "dockerd", "--host", dockerHost, "--data-root", lab+"/docker-data", "--exec-root", "/run/lab-docker", "--pidfile", "/run/lab-docker.pid",
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")
	if err != nil {
		t.Skipf("skip: %v", err)
	}
}
