package ci

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// A cache of type=gha is written by one build and read by the next: BuildKit's client takes address and
// token from the step's environment (act serves the cache, by the first version of its API), the daemon
// forgets all that it has between the two, and every step of the second is served. A build without the
// cache, to which the daemon's loss is the same, is served nothing.
func TestGitHubCache(t *testing.T) {
	host := startBuildkit(t)
	step := func(cache string) string {
		return `
      - run: buildctl prune --all > /dev/null; echo BUILD
      - uses: polyarch/polyarch/actions/stitch-index@v1
        with:
          image: '{registry}/cache'
          tag: v1
          platform: linux/amd64,linux/arm64
          builder: buildkit
          context: app
          jobs: '1'
          ` + cache
	}
	p := newProject(t, "https://github.com/acme/app", map[string]string{
		"app/Dockerfile": "FROM scratch\nCOPY a /a\nCOPY b /b\n",
		"app/a":          "a\n", "app/b": "b\n",
		".github/workflows/image.yml": `
name: image
on: push
jobs:
  image:
    runs-on: ubuntu-24.04
    env: {BUILDKIT_HOST: '` + host + `'}
    steps:
      - uses: actions/checkout@v7` +
			step("cache-to: 'type=gha,mode=max,scope={platform}'") +
			step("cache-from: 'type=gha,scope={platform}'") +
			step("verbose: 'true'") + "\n",
	})
	p.serves = []string{"--cache-server-path", t.TempDir(), "--cache-server-addr", "127.0.0.1", "--artifact-server-path", t.TempDir(), "--artifact-server-addr", "127.0.0.1"}
	p.path = filepath.Dir(tool.Build(t, tool.Buildctl))
	got := p.act(t, "")
	if got.code != 0 {
		t.Fatalf("act: exit code %d\n%s", got.code, got.out)
	}
	parts := regexp.MustCompile(`(?m)\| BUILD$`).Split(got.out, -1)
	if len(parts) != 4 {
		t.Fatalf("%d builds:\n%s", len(parts)-1, got.out)
	}
	for i, want := range []int{0, 4, 0} { // two steps for each of two platforms
		if n := len(regexp.MustCompile(`(?m)\| #\d+ CACHED$`).FindAllString(parts[i+1], -1)); n != want {
			t.Errorf("build %d: %d steps came from the cache, want %d:\n%s", i+1, n, want, parts[i+1])
		}
	}
	if strings.Contains(got.out, "ACTIONS_RUNTIME_TOKEN=") {
		t.Error("the log shows the token")
	}
}

// startBuildkit starts a daemon with a state folder of its own and gives its address.
func startBuildkit(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	host := "unix://" + dir + "/buildkitd.sock"
	var out bytes.Buffer
	cmd := exec.Command(tool.Build(t, tool.Buildkitd), "--addr", host, "--root", dir+"/root", "--oci-worker-snapshotter", "native", "--oci-worker-net", "host", "--containerd-worker=false")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	ctl := tool.Build(t, tool.Buildctl)
	var err error
	for range 600 {
		if err = exec.Command(ctl, "--addr", host, "debug", "workers").Run(); err == nil {
			return host
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal(fmt.Errorf("starting buildkitd: %w\n%s", err, out.String()))
	return ""
}
