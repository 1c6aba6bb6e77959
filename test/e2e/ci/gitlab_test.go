package ci

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// gitlab runs a project's pipeline. The components are those of this repository, put where the client
// keeps what it fetched.
func (p *project) gitlab(t *testing.T, kubeconfig string) outcome {
	t.Helper()
	fetched := filepath.Join(p.dir, ".gitlab-ci-local", "includes", "gitlab.com", "polyarch", "polyarch", version)
	for _, dir := range []string{"templates", "catalog/gitlab"} {
		if err := os.CopyFS(filepath.Join(fetched, dir), os.DirFS(filepath.Join(repository(), dir))); err != nil {
			t.Fatal(err)
		}
	}
	client := filepath.Join(tool.Npm(t), "node_modules", "gitlab-ci-local", "dist", "index.js")
	return p.run(t, nil, "node", client, "--force-shell-executor", "--shell-isolation", "--variable", "KUBECONFIG="+kubeconfig, "--variable", "KEEP="+p.keep, "--variable", "CURL_CA_BUNDLE="+shared.authority)
}

func TestGitLabWholeFlow(t *testing.T) {
	c := mixed(t)
	p := newProject(t, "https://gitlab.com/acme/app.git", map[string]string{".gitlab-ci.yml": `
stages: [build, deploy]
include:
  - component: $CI_SERVER_FQDN/polyarch/polyarch/build-multi-arch@{version}
    inputs:
      version: {version}
      releases: {releases}
      image: "{registry}/whole"
      tag: v1 latest
      name: hello
      context: hello
      command: |
        # a script
        {command}
      files: [hello/k8s/*.yaml]
deploy:
  stage: deploy
  needs: [stitch-index, inject-affinity]
  script:
    - echo "RESULT $IMAGE_REF $PLATFORMS"
    - cp hello/k8s/pod.yaml "$KEEP/"
`})
	got := p.gitlab(t, c.Kubeconfig)
	if got.code != 0 {
		t.Fatalf("gitlab-ci-local: exit code %d\n%s", got.code, got.out)
	}
	digest, platforms := index(t, shared.registry+"/whole:v1")
	if latest, _ := index(t, shared.registry+"/whole:latest"); latest != digest {
		t.Errorf("latest is %s, v1 %s", latest, digest)
	}
	if d := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms); d != "" {
		t.Error(d)
	}
	for _, want := range []string{"[build] -> build linux/amd64", "[build] -> build linux/arm64", "> RESULT " + shared.registry + "/whole@" + digest + " linux/amd64,linux/arm64"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the log lacks %q:\n%s", want, got.out)
		}
	}
	child := p.read(t, p.dir, "polyarch-build.yml")
	for _, want := range []string{"saas-linux-small-arm64", "saas-linux-small-amd64"} {
		if !strings.Contains(child, want) {
			t.Errorf("the child pipeline lacks the tag %s:\n%s", want, child)
		}
	}
	scheduled(t, c, p.read(t, p.keep, "pod.yaml"), digest)
}

func TestGitLabJobs(t *testing.T) {
	c := mixed(t)
	p := newProject(t, "https://gitlab.com/acme/app.git", map[string]string{".gitlab-ci.yml": `
stages: [detect, build, stitch, deploy]
include:
  - component: $CI_SERVER_FQDN/polyarch/polyarch/detect-arch@{version}
    inputs: {stage: detect, version: {version}, releases: "{releases}"}
  - component: $CI_SERVER_FQDN/polyarch/polyarch/build-image@{version}
    inputs: &build {job-name: build amd64, platform: linux/amd64, version: {version}, releases: "{releases}", image: "{registry}/jobs", tag: v1, context: hello, command: "echo \"for $PLATFORM in $(basename $BUILD_CONTEXT)\"; {command}"}
  - component: $CI_SERVER_FQDN/polyarch/polyarch/build-image@{version}
    inputs: {<<: *build, job-name: build arm64, platform: linux/arm64}
  - component: $CI_SERVER_FQDN/polyarch/polyarch/stitch-index@{version}
    inputs: {stage: stitch, version: {version}, releases: "{releases}", image: "{registry}/jobs", tag: v1, name: hello}
  - component: $CI_SERVER_FQDN/polyarch/polyarch/inject-affinity@{version}
    inputs: {version: {version}, releases: "{releases}", artifacts: polyarch-artifacts.json, taints: $TAINTS, files: [hello/k8s/pod.yaml, hello/k8s/list.yaml]}
after:
  stage: deploy
  needs: [inject-affinity]
  script:
    - cp hello/k8s/pod.yaml "$KEEP/"
`})
	got := p.gitlab(t, c.Kubeconfig)
	if got.code != 0 {
		t.Fatalf("gitlab-ci-local: exit code %d\n%s", got.code, got.out)
	}
	for _, want := range []string{"for linux/amd64 in hello", "for linux/arm64 in hello"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the log lacks %q:\n%s", want, got.out)
		}
	}
	digest, _ := index(t, shared.registry+"/jobs:v1")
	scheduled(t, c, p.read(t, p.keep, "pod.yaml"), digest)
}

// A job that fails says why, ends with the program's exit code and leaves no variables.
func TestGitLabFailures(t *testing.T) {
	c := mixed(t)
	for name, f := range map[string]struct {
		kubeconfig, component, inputs string
		message                       string
		code                          string
	}{
		"a user who may not list nodes":     {c.User(t, "gitlab-nobody"), "detect-arch", "", `error: .*nodes`, "4"},
		"a platform that the cluster lacks": {c.Kubeconfig, "detect-arch", "platform: linux/s390x", `error: .*linux/s390x`, "3"},
		"an image that is not there":        {c.Kubeconfig, "stitch-index", `image: "{registry}/none", tag: v1, sources: "{registry}/none:v0", wait: 1ms`, `error: .*none:v0`, "1"},
		"a spoiled release":                 {c.Kubeconfig, "inject-affinity", `files: [hello/k8s], releases: "{releases}/spoiled"`, `error: .*has the checksum`, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			inputs := "version: {version}, job-name: it, " + f.inputs
			if !strings.Contains(inputs, "releases") {
				inputs = `releases: "{releases}", ` + inputs
			}
			p := newProject(t, "https://gitlab.com/acme/app.git", map[string]string{".gitlab-ci.yml": `
include:
  - component: $CI_SERVER_FQDN/polyarch/polyarch/` + f.component + `@{version}
    inputs: {` + strings.TrimSuffix(inputs, ", ") + `}
`})
			got := p.gitlab(t, f.kubeconfig)
			if got.code == 0 || !regexp.MustCompile(f.message).MatchString(got.out) || !regexp.MustCompile(`FAIL ?\S* ?`+f.code).MatchString(got.out) {
				t.Errorf("exit code %d, want the message %s and FAIL %s:\n%s", got.code, f.message, f.code, got.out)
			}
			if left, _ := filepath.Glob(filepath.Join(p.dir, "*.env")); left != nil {
				t.Errorf("it left %v", left)
			}
		})
	}
}

// Two includes of one image in one pipeline: each tag has what its own jobs built, and each has results
// and files of its own.
func TestGitLabTwoVariants(t *testing.T) {
	files := variants(t)
	include := func(v string) string {
		return `
  - component: $CI_SERVER_FQDN/polyarch/polyarch/build-multi-arch@{version}
    inputs:
      job-prefix: ` + v + `-
      version: {version}
      releases: {releases}
      from-file: hello/nodes.json
      image: "{registry}/variants"
      tag: v1-` + v + `
      name: hello
      files: [hello/k8s/*.yaml]
      context: ` + v + `
      command: |
        echo "for $PLATFORM in $(basename "$BUILD_CONTEXT")"
        {command}`
	}
	files[".gitlab-ci.yml"] = "stages: [build, deploy]\ninclude:" + include("alpine") + include("debian") + `
debian-detect-arch: # gitlab-ci-local has one folder for all jobs of a name, also when they are of two child pipelines at once
  needs: [alpine-build]
deploy:
  stage: deploy
  needs: [alpine-stitch-index, debian-stitch-index]
  script:
    - echo "RESULT $ALPINE_IMAGE_REF $DEBIAN_IMAGE_REF"
    - ls *polyarch-artifacts.json
`
	p := newProject(t, "https://gitlab.com/acme/app.git", files)
	got := p.gitlab(t, "")
	if got.code != 0 {
		t.Fatalf("gitlab-ci-local: exit code %d\n%s", got.code, got.out)
	}
	says(t, shared.registry+"/variants:v1-alpine", "alpine", "debian")
	says(t, shared.registry+"/variants:v1-debian", "debian", "alpine")
	alpine, _ := index(t, shared.registry+"/variants:v1-alpine")
	debian, _ := index(t, shared.registry+"/variants:v1-debian")
	for _, want := range []string{
		"> RESULT " + shared.registry + "/variants@" + alpine + " " + shared.registry + "/variants@" + debian,
		"alpine-polyarch-artifacts.json", "debian-polyarch-artifacts.json", "for linux/arm64 in debian",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the log lacks %q:\n%s", want, got.out)
		}
	}
}

// A file that was committed is not a source.
func TestGitLabPlantedSource(t *testing.T) {
	p := newProject(t, "https://gitlab.com/acme/app.git", map[string]string{
		"polyarch-source-1": "{registry}/other:v1=linux/amd64\n",
		".gitlab-ci.yml": `
include:
  - component: $CI_SERVER_FQDN/polyarch/polyarch/stitch-index@{version}
    inputs: {version: {version}, releases: "{releases}", image: "{registry}/planted", tag: v1}
`})
	got := p.gitlab(t, "")
	if want := "taking sources: polyarch-source-1 is a file of the repository"; got.code == 0 || !strings.Contains(got.out, want) {
		t.Errorf("exit code %d, the log lacks %q:\n%s", got.code, want, got.out)
	}
}
