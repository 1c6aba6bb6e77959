package world

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

func TestWorld(t *testing.T) {
	w := newWorld(t)
	w.release(t)
	if !t.Run("release", w.releaseWorkflow) {
		t.FailNow() // nothing was published
	}
	t.Run("published whole", w.publishedWhole)
	t.Run("verified", w.verified)
	t.Run("built again", w.builtAgain)
	t.Run("elsewhere", w.elsewhere)
	t.Run("install script", w.installScript)
	t.Run("packages", w.packages)
	t.Run("krew", w.krew)
	t.Run("manifests of package managers", w.manifests)
	t.Run("GitHub workflow", w.userWorkflow)
	t.Run("GitLab job", w.gitlabJob)
	t.Run("Tekton PipelineRun", w.pipelineRun)
}

// used finds what a workflow uses, ACTION@COMMIT.
var used = regexp.MustCompile(`(?m)uses: (([a-z]+/[a-z-]+)@[0-9a-f]{40}) # v`)

func (w *world) releaseWorkflow(t *testing.T) {
	workflow, err := os.ReadFile(filepath.Join(w.tree, ".github/workflows/release.yml"))
	if err != nil {
		t.Fatal(err)
	}
	stand := map[string]string{}
	for _, m := range used.FindAllSubmatch(workflow, -1) {
		action := filepath.Base(string(m[2]))
		if path, err := filepath.Abs(filepath.Join("testdata", action)); err != nil {
			t.Fatal(err)
		} else if action != "checkout" { // act has its own
			stand[string(m[1])] = path
		}
	}
	if len(stand) != 4 {
		t.Fatalf("the workflow uses %v", stand)
	}
	tools := w.tools(t, gh(t))
	got := w.act(t, w.tree, map[string]string{"ref": "refs/tags/" + version}, stand,
		"--workflows", ".github/workflows/release.yml",
		"--env", "COSIGN_FOLDER="+tools, "--env", "COSIGN_PASSWORD=", "--env", "XDG_CONFIG_HOME="+t.TempDir(),
		"--var", "REGISTRY="+w.registry, "--var", "IMAGE_REPO="+w.registry+"/polyarch",
		"-s", "TAP_TOKEN="+tapToken, "-s", "GITLAB_TOKEN="+gitlabToken,
		"-s", "GITHUB_TOKEN="+token, "-s", "REGISTRY_USER="+registryUser, "-s", "REGISTRY_PASSWORD="+registryPassword)
	if got.code != 0 {
		t.Fatalf("the release workflow: exit code %d\n%s\nGitHub was asked:\n%s", got.code, got.out, strings.Join(w.github.log, "\n"))
	}
	for _, secret := range []string{registryPassword, token, tapToken, gitlabToken} {
		if strings.Contains(got.out, secret) {
			t.Errorf("the log has the secret %s", secret)
		}
	}
}

// tools is a folder with the programs that a hosted runner has: gh, and cosign with
// the key of the test instead of Sigstore's services.
func (w *world) tools(t *testing.T, gh string) string {
	t.Helper()
	dir := filepath.Join(w.dir, "tools")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(gh, filepath.Join(dir, "gh")); err != nil {
		t.Fatal(err)
	}
	cosign := tool.Build(t, tool.Cosign)
	for _, args := range [][]string{{"generate-key-pair"}, {"signing-config", "create", "--out", "signing.json"}} {
		if got := w.run(t, dir, []string{"COSIGN_PASSWORD="}, cosign, args...); got.code != 0 {
			t.Fatalf("cosign %s: %s", args, got.out)
		}
	}
	w.write(t, filepath.Join(dir, "cosign"), fmt.Sprintf("#!/bin/sh\ncommand=$1; shift\nexec %s \"$command\" --key %s/cosign.key --signing-config %s/signing.json \"$@\"\n", cosign, dir, dir))
	return dir
}

// checksums are those of the release, by file.
func (w *world) checksums(t *testing.T) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for _, a := range w.github.releases[0].Assets {
		if a.Name != "checksums.txt" {
			continue
		}
		for _, line := range strings.Split(strings.TrimSpace(string(a.content)), "\n") {
			sum, file, _ := strings.Cut(line, "  ")
			sums[file] = sum
		}
	}
	return sums
}

func (w *world) publishedWhole(t *testing.T) {
	x := w.github.releases[0]
	if len(w.github.releases) != 1 || x.Tag != version || x.Draft || x.Prerelease || x.Latest != "true" || !strings.Contains(x.Body, "The first release") {
		t.Errorf("the release: %+v", x)
	}
	sums := w.checksums(t)
	published := map[string]string{}
	for _, a := range x.Assets {
		if a.Name != "checksums.txt" && a.Name != "checksums.txt.sigstore.json" {
			published[a.Name] = fmt.Sprintf("%x", sha256.Sum256(a.content))
		}
	}
	if d := cmp.Diff(sums, published); d != "" {
		t.Errorf("published files and checksums.txt (-checksums +published):\n%s", d)
	}
	var missing []string
	for _, arch := range []string{"amd64", "arm64", "armv7", "ppc64le", "riscv64", "s390x"} {
		for _, suffix := range []string{".tar.gz", ".tar.gz.spdx.json", ".deb", ".rpm", ".apk"} {
			missing = append(missing, "polyarch_"+version+"_linux_"+arch+suffix)
		}
		missing = append(missing, "kubectl-detect_arch_"+version+"_linux_"+arch+".tar.gz")
	}
	for _, arch := range []string{"amd64", "arm64"} {
		missing = append(missing, "polyarch_"+version+"_darwin_"+arch+".tar.gz", "polyarch_"+version+"_windows_"+arch+".zip", "polyarch_"+version+"_windows_"+arch+".zip.spdx.json")
	}
	missing = append(missing, "install.sh", "polyarch_"+version+"_tekton_bundle.tar", "polyarch.rb", "detect-arch.yaml", "polyarch.polyarch.yaml", "polyarch.polyarch.installer.yaml", "polyarch.polyarch.locale.en-US.yaml")
	missing = slices.DeleteFunc(missing, func(file string) bool { return sums[file] != "" })
	if len(missing) > 0 {
		t.Errorf("the release lacks %q", missing)
	}

	attested, err := os.ReadFile(filepath.Join(w.keep, "attested"))
	if err != nil {
		t.Fatal(err)
	}
	for file, sum := range sums {
		if !strings.Contains(string(attested), file+" sha256:"+sum+"\n") {
			t.Errorf("%s is not attested", file)
		}
	}
	for _, image := range []string{"detect-arch", "stitch-index", "inject-affinity", "catalog"} {
		ref, err := name.ParseReference(w.registry + "/polyarch/" + image + ":" + version)
		if err != nil {
			t.Fatal(err)
		}
		d, err := remote.Get(ref, w.login(), remote.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(attested), ref.Context().Name()+" "+d.Digest.String()+"\n") {
			t.Errorf("%s is not attested: %s", ref, attested)
		}
		if image == "catalog" {
			img, err := d.Image()
			if err != nil {
				t.Fatal(err)
			}
			if layers, err := img.Layers(); err != nil || len(layers) != w.objects(t) {
				t.Errorf("the bundle holds %d objects, want %d: %v", len(layers), w.objects(t), err)
			}
			continue
		}
		index, err := d.ImageIndex()
		if err != nil {
			t.Fatal(err)
		}
		m, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		var platforms []string
		for _, c := range m.Manifests {
			if c.Platform.OS != "unknown" { // an SBOM
				platforms = append(platforms, c.Platform.String())
			}
		}
		want := []string{"linux/amd64", "linux/arm/v7", "linux/arm64", "linux/ppc64le", "linux/riscv64", "linux/s390x"}
		if d := cmp.Diff(want, platforms); d != "" {
			t.Errorf("platforms of %s: %s", ref, d)
		}
	}

	commit := strings.TrimSpace(w.must(t, w.origin, "git", "rev-parse", version))
	for _, tag := range []string{"v0", "v0.2"} {
		if got := strings.TrimSpace(w.must(t, w.origin, "git", "rev-parse", "refs/tags/"+tag)); got != commit {
			t.Errorf("the tag %s is at %s, want %s", tag, got, commit)
		}
	}
}

// objects counts what the tree has for Tekton to use by name.
func (w *world) objects(t *testing.T) int {
	t.Helper()
	n := strings.Count(w.must(t, w.tree, "git", "grep", "-hE", "^kind: (Task|StepAction|Pipeline)$", version, "--", "tasks/*/*.yaml", "catalog/pipeline/*/*.yaml", ":!*/samples/*"), "kind: ")
	if n < 14 {
		t.Errorf("the tree has %d objects, want 14 at least", n)
	}
	return n
}

func (w *world) login() remote.Option {
	return remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: registryUser, Password: registryPassword}))
}

// verified runs docs/install.md's commands on what was downloaded, with the key of
// the test where the identity of the workflow would be.
func (w *world) verified(t *testing.T) {
	dir := t.TempDir()
	for _, a := range w.github.releases[0].Assets {
		if strings.HasPrefix(a.Name, "checksums.txt") || strings.HasSuffix(a.Name, "_linux_amd64.tar.gz") {
			w.write(t, filepath.Join(dir, a.Name), string(a.content))
		}
	}
	config := `{"auths":{"` + w.registry + `":{"username":"` + registryUser + `","password":"` + registryPassword + `"}}}`
	w.write(t, filepath.Join(dir, "docker", "config.json"), config)
	key := []string{"--key", filepath.Join(w.dir, "tools", "cosign.pub"), "--insecure-ignore-tlog"}
	cosign := tool.Build(t, tool.Cosign)
	check := func(want bool, args ...string) {
		t.Helper()
		got := w.run(t, dir, []string{"DOCKER_CONFIG=" + dir + "/docker"}, args[0], args[1:]...)
		if (got.code == 0) != want {
			t.Errorf("%s: exit code %d\n%s", strings.Join(args, " "), got.code, got.out)
		}
	}
	blob := append([]string{cosign, "verify-blob", "--bundle", "checksums.txt.sigstore.json"}, append(key, "checksums.txt")...)
	check(true, blob...)
	check(true, "sha256sum", "--check", "--ignore-missing", "checksums.txt")
	for _, image := range []string{"detect-arch", "stitch-index", "inject-affinity", "catalog"} {
		check(true, append([]string{cosign, "verify", w.registry + "/polyarch/" + image + ":" + version}, key...)...)
	}
	w.write(t, filepath.Join(dir, "other", "x"), "")
	if got := w.run(t, filepath.Join(dir, "other"), []string{"COSIGN_PASSWORD="}, cosign, "generate-key-pair"); got.code != 0 {
		t.Fatalf("%s", got.out)
	}
	check(false, cosign, "verify", w.registry+"/polyarch/detect-arch:"+version, "--key", filepath.Join(dir, "other", "cosign.pub"), "--insecure-ignore-tlog")
	w.write(t, filepath.Join(dir, "checksums.txt"), "0  polyarch.tar.gz\n")
	check(false, blob...)
}

// builtAgain checks that anyone who builds the tag gets the same bytes.
func (w *world) builtAgain(t *testing.T) {
	sums := w.checksums(t)
	tree := w.clone(t, version)
	w.must(t, tree, "hack/release.sh", version, "dist", "linux_amd64", "windows_amd64")
	again := strings.Split(strings.TrimSpace(w.must(t, filepath.Join(tree, "dist"), "cat", "checksums.txt")), "\n")
	compared := 0
	for _, line := range again {
		sum, file, _ := strings.Cut(line, "  ")
		if file == "detect-arch.yaml" { // names archives of all targets
			continue
		}
		compared++
		if sums[file] != sum {
			t.Errorf("%s is %s, and was published as %s", file, sum, sums[file])
		}
	}
	if compared != 10 { // four archives, an SBOM each, the bundle, the install script
		t.Errorf("%d files were compared:\n%s", compared, strings.Join(again, "\n"))
	}
}

// A release whose first run broke off is a draft that nobody sees, and the next run
// completes it. After that nothing changes.
func TestPublishAgain(t *testing.T) {
	w := newWorld(t)
	w.copyTree(t)
	const last = "v0.1.9" // of an older line: not the latest
	for _, tag := range []string{last, version} {
		w.must(t, w.tree, "git", "tag", tag)
	}
	w.must(t, w.tree, "git", "push", "--quiet", "--tags", "origin")
	for i := range 4 {
		w.write(t, filepath.Join(w.tree, "dist", fmt.Sprintf("file%d", i)), fmt.Sprint(i))
	}
	w.must(t, filepath.Join(w.tree, "dist"), "sh", "-c", "sha256sum file* > checksums.txt")
	publish := func() outcome {
		return w.run(t, w.tree, []string{"GH_TOKEN=" + token, "GH_REPO=polyarch/polyarch", "PATH=" + filepath.Dir(gh(t)) + ":" + os.Getenv("PATH")}, "hack/publish.sh", last)
	}
	w.github.broken = true
	if got := publish(); got.code == 0 || len(w.github.releases) != 1 {
		t.Fatalf("an upload failed, and publish.sh did not:\n%s\n%s", got.out, strings.Join(w.github.log, "\n"))
	}
	w.github.broken = false
	x := w.github.releases[0]
	if !x.Draft || len(x.Assets) != 2 {
		t.Errorf("half a release is published: %+v", x)
	}
	if got := publish(); got.code != 0 {
		t.Fatalf("the second run: %s\n%s", got.out, strings.Join(w.github.log, "\n"))
	}
	if len(w.github.releases) != 1 || x.Draft || len(x.Assets) != 5 || x.Latest != "false" {
		t.Errorf("after the second run: %+v", x)
	}
	before := w.github.writes
	if got := publish(); got.code != 0 || w.github.writes != before || !strings.Contains(got.out, "is published already") {
		t.Errorf("the third run writes %d times: %s", w.github.writes-before, got.out)
	}
}

// gh is GitHub's client, of Debian.
func gh(t *testing.T) string {
	t.Helper()
	debian, err := tool.Debian(t.Context(), t.Logf, "amd64", "gh")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(debian, "usr/bin/gh")
}
