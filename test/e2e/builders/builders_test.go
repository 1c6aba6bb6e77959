package builders

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWithoutEmulation checks the messages where the kernel cannot run a build's programs. It comes before the tests that
// need it to.
func TestWithoutEmulation(t *testing.T) {
	context := dockerfile(false, flagged)(t, good).context
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

// TestNativeLegs builds each platform separately, as a job on its own machine does, and then
// stitches.
func TestNativeLegs(t *testing.T) {
	emulate(t)
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
	ran(t, built(t, registry+"/native", stitch(t, nil, append([]string{"--image", registry + "/native", "--tag", "v1"}, sources...)...)))
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
	if dial("unix", strings.TrimPrefix(dockerHost, "unix://")) == nil { // another builder needed it
		return
	}
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
		t.Fatal(err)
	}
}
