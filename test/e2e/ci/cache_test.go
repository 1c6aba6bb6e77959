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

	"github.com/google/go-containerregistry/pkg/v1/layout"

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
		"app/Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /a\nCOPY $TARGETARCH /b\n", // nothing is shared between platforms
		"app/amd64":      "for amd64\n", "app/arm64": "for arm64\n",
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

// startBuildkit starts a daemon with a state folder of its own and returns its
// address.
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

// With a layout as the output nothing is pushed: the registry there is not. Labels and annotations are
// the builder's own, in what it left.
func TestBuildersLeaveLayouts(t *testing.T) {
	host := startBuildkit(t)
	p := newProject(t, "https://github.com/acme/app", map[string]string{"app/Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /a\n", "app/amd64": "a\n", "app/arm64": "b\n"})
	buildx := tool.Build(t, tool.Buildx)
	p.path = filepath.Dir(tool.Build(t, tool.Buildctl)) + ":" + filepath.Dir(buildx)
	if got := p.run(t, nil, buildx, "create", "--name", "remote", "--driver", "remote", "--use", host); got.code != 0 {
		t.Fatal(got.out)
	}
	program := tool.Ours(t, "stitch-index")
	for _, builder := range []string{"buildkit", "buildx"} {
		got := p.run(t, []string{"BUILDKIT_HOST=" + host}, program, "--image", "registry.invalid/app", "--tag", "v1", "--platform", "linux/amd64,linux/arm64",
			"--builder", builder, "--context", "app", "--output", "oci:"+builder, "--label", "title=an app, for all", "--annotation", "manifest:title=an \"app\", for all")
		if got.code != 0 {
			t.Errorf("%s: exit code %d\n%s", builder, got.code, got.out)
			continue
		}
		index, err := layout.ImageIndexFromPath(filepath.Join(p.dir, builder))
		if err != nil {
			t.Fatal(err)
		}
		m, err := index.IndexManifest()
		if err != nil || len(m.Manifests) != 1 {
			t.Fatalf("%v %v", m, err)
		}
		inner, err := index.ImageIndex(m.Manifests[0].Digest)
		if err != nil {
			t.Fatal(err)
		}
		if m, err = inner.IndexManifest(); err != nil || len(m.Manifests) != 2 {
			t.Fatalf("%s: %v %v", builder, m, err)
		}
		for _, d := range m.Manifests {
			image, err := inner.Image(d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			manifest, err := image.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			config, err := image.ConfigFile()
			if err != nil || config.Config.Labels["title"] != "an app, for all" || manifest.Annotations["title"] != "an \"app\", for all" {
				t.Errorf("%s for %s: labels %v, annotations %v, %v", builder, d.Platform, config.Config.Labels, manifest.Annotations, err)
			}
		}
	}
}
