package world

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// installScript runs README's command on a machine that has curl, a shell and
// nothing else: a root of its own.
func (w *world) installScript(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(w.clone(t, version), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	const command = "curl --proto '=https' --tlsv1.2 -fsSL https://github.com/polyarch/polyarch/releases/latest/download/install.sh | sh"
	if !strings.Contains(string(readme), "\n"+command+"\n") {
		t.Errorf("README does not say %s", command)
	}
	debian, err := tool.Debian(t.Context(), t.Logf, "amd64", "busybox-static", "curl")
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root")
	w.must(t, w.dir, "cp", "-a", debian, root)
	w.must(t, root, "chroot", root, "/bin/busybox", "--install", "-s", "/bin")
	for _, dir := range []string{"tmp", "root", "dev", "etc", "usr/local/bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mknod(filepath.Join(root, "dev", "null"), syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(w.proxy.alone)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, filepath.Join(root, "etc", "ca.crt"), string(ca))
	chroot, err := exec.LookPath("chroot")
	if err != nil {
		t.Fatal(err)
	}
	run := func(command string) outcome {
		return w.run(t, root, nil, "env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/root", "HTTPS_PROXY="+w.proxyURL, "CURL_CA_BUNDLE=/etc/ca.crt",
			chroot, root, "/bin/sh", "-c", command)
	}
	got := run(command + " && detect-arch --version && stitch-index --version && inject-affinity --version")
	for _, program := range []string{"detect-arch", "stitch-index", "inject-affinity"} {
		if got.code != 0 || strings.Count(got.out, program+" "+version+" (") != 2 {
			t.Errorf("%s: exit code %d\n%s", program, got.code, got.out)
		}
	}

	// A release with another byte in it, which the world would have to serve under the same name.
	x := w.github.releases[0]
	for _, a := range x.Assets {
		if a.Name != "polyarch_"+version+"_linux_amd64.tar.gz" {
			continue
		}
		right := a.content
		a.content = append([]byte{}, right...)
		a.content[len(right)/2] ^= 1
		if got := run(command + " -s -- --to /tmp/bin"); got.code == 0 || !strings.Contains(got.out, "has the checksum") {
			t.Errorf("a spoiled archive: exit code %d\n%s", got.code, got.out)
		}
		a.content = right
		if entries, _ := os.ReadDir(filepath.Join(root, "tmp")); len(entries) > 0 {
			t.Errorf("it left %v", entries)
		}
	}
}

// userWorkflow is a workflow of somebody who names the release and nothing else.
func (w *world) userWorkflow(t *testing.T) {
	dir := w.project(t, "https://github.com/acme/app", map[string]string{
		"nodes.json": readSample(t),
		".github/workflows/image.yml": `
name: image
on: push
jobs:
  image:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v7
      - id: detect
        uses: polyarch/polyarch/actions/detect-arch@` + version + `
        with: {from-file: nodes.json}
      - id: whole
        uses: polyarch/polyarch@` + version + `
        with: {step: detect-arch, from-file: nodes.json}
      - shell: bash
        env: {PLATFORMS: '${{ steps.detect.outputs.platforms }} ${{ steps.whole.outputs.platforms }}'}
        run: |
          echo "RESULT $PLATFORMS $("$RUNNER_TOOL_CACHE"/polyarch/*/*/detect-arch --version)"
`})
	got := w.act(t, dir, map[string]string{"ref": "refs/heads/main"}, map[string]string{"polyarch/polyarch@" + version: w.clone(t, version)})
	for _, want := range []string{"polyarch: installed " + version + " for linux/amd64", "RESULT linux/amd64,linux/arm64 linux/amd64,linux/arm64 detect-arch " + version + " ("} {
		if got.code != 0 || strings.Count(got.out, want) != 1 {
			t.Fatalf("exit code %d, want %q once:\n%s", got.code, want, got.out)
		}
	}
	if strings.Contains(got.out, "from source") {
		t.Errorf("the program was built from source:\n%s", got.out)
	}
}

// gitlabJob is a job by the component of the tag, put where the client keeps what
// it has fetched.
func (w *world) gitlabJob(t *testing.T) {
	dir := w.project(t, "https://gitlab.com/acme/app.git", map[string]string{
		"nodes.json": readSample(t),
		".gitlab-ci.yml": `
stages: [build, deploy]
include:
  - component: $CI_SERVER_FQDN/polyarch/polyarch/detect-arch@` + version + `
    inputs: {from-file: nodes.json}
after:
  stage: deploy
  needs: [detect-arch]
  script:
    - echo "RESULT $PLATFORMS $(ls "$XDG_CACHE_HOME/polyarch") $("$XDG_CACHE_HOME"/polyarch/*/detect-arch --version)"
`})
	tag := w.clone(t, version)
	for _, sub := range []string{"templates", "catalog/gitlab"} {
		if err := os.CopyFS(filepath.Join(dir, ".gitlab-ci-local/includes/gitlab.com/polyarch/polyarch", version, sub), os.DirFS(filepath.Join(tag, sub))); err != nil {
			t.Fatal(err)
		}
	}
	client := filepath.Join(tool.Npm(t), "node_modules", "gitlab-ci-local", "dist", "index.js")
	argv := []string{client, "--force-shell-executor", "--shell-isolation", "--variable", "XDG_CACHE_HOME=" + t.TempDir()}
	for _, v := range w.trusting() {
		argv = append(argv, "--variable", v)
	}
	got := w.run(t, dir, nil, "node", argv...)
	want := "RESULT linux/amd64,linux/arm64 " + version + "-linux_amd64 detect-arch " + version + " ("
	if got.code != 0 || !strings.Contains(got.out, want) {
		t.Errorf("exit code %d, want %q:\n%s", got.code, want, got.out)
	}
}

func readSample(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository(), "samples/hello/nodes.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// project is a git repository of somebody who uses polyarch.
func (w *world) project(t *testing.T, origin string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range files {
		w.write(t, filepath.Join(dir, path), text)
	}
	w.must(t, dir, "git", "init", "--quiet", "--initial-branch=main")
	w.must(t, dir, "git", "add", "--all")
	w.must(t, dir, "git", "commit", "--quiet", "--message=x")
	w.must(t, dir, "git", "remote", "add", "origin", origin)
	return dir
}
