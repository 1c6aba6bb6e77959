package ci

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// fails is a build that fails for one platform.
const fails = `if [ "$PLATFORM" = linux/arm64 ]; then echo "no compiler for $PLATFORM"; exit 7; fi; {command}`

// lacks checks that an index is for linux/amd64 alone, and says that linux/arm64
// is missing.
func lacks(t *testing.T, ref string) {
	t.Helper()
	_, platforms := index(t, ref)
	if d := cmp.Diff([]string{"linux/amd64"}, platforms); d != "" {
		t.Error(d)
	}
	r, err := name.ParseReference(ref, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	i, err := remote.Index(r)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := i.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if got := doc.Annotations["polyarch.dev/missing"]; got != "linux/arm64" {
		t.Errorf("the index says that it lacks %q", got)
	}
}

// tagged reports whether a tag names anything.
func tagged(t *testing.T, ref string) bool {
	t.Helper()
	r, err := name.ParseReference(ref, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	_, err = remote.Head(r)
	return err == nil
}

// The job of an optional platform fails, the run goes on; the job of another one
// fails the run before any tag moves.
func TestGitHubOptional(t *testing.T) {
	for _, optional := range []string{"linux/arm64", "linux/amd64"} {
		image := "optional-" + strings.ReplaceAll(optional, "/", "-")
		p := newProject(t, "https://github.com/acme/app", map[string]string{".github/workflows/image.yml": `
name: image
on: push
jobs:
  image:
    permissions: {contents: read, packages: write}
    uses: polyarch/polyarch/.github/workflows/build-multi-arch.yml@v1
    with:
      platform: linux/amd64,linux/arm64
      optional: ` + optional + `
      runner: linux=ubuntu-24.04
      fail-fast: false
      image: '{registry}/` + image + `'
      tag: v1
      context: hello
      command: '` + fails + `'
  after:
    needs: image
    runs-on: ubuntu-24.04
    steps:
      - shell: bash
        env:
          MISSING: ${{ needs.image.outputs.missing }}
          PLATFORMS: ${{ needs.image.outputs.platforms }}
        run: echo "RESULT {\"missing\":\"$MISSING\",\"platforms\":\"$PLATFORMS\"}"
`})
		got := p.act(t, "")
		if !strings.Contains(got.out, "no compiler for linux/arm64") {
			t.Errorf("%s: nothing failed:\n%s", optional, got.out)
		}
		if optional == "linux/amd64" {
			if got.code == 0 || tagged(t, shared.registry+"/"+image+":v1") {
				t.Errorf("%s: exit code %d\n%s", optional, got.code, got.out)
			}
			continue
		}
		if got.code != 0 {
			t.Fatalf("%s: act: exit code %d\n%s", optional, got.code, got.out)
		}
		lacks(t, shared.registry+"/"+image+":v1")
		if d := cmp.Diff([]map[string]string{{"missing": "linux/arm64", "platforms": "linux/amd64"}}, printed(t, got.out)); d != "" {
			t.Error(d)
		}
		if !strings.Contains(got.out, "linux/arm64 is optional and has no image") {
			t.Errorf("no warning:\n%s", got.out)
		}
	}
}

func TestGitLabOptional(t *testing.T) {
	c := mixed(t)
	for _, optional := range []string{"linux/arm64,linux/s390x", "linux/amd64"} {
		image := "gl-optional-" + strings.ReplaceAll(strings.ReplaceAll(optional, "/", "-"), ",", "-")
		p := newProject(t, "https://gitlab.com/acme/app.git", map[string]string{".gitlab-ci.yml": `
stages: [build, deploy]
include:
  - component: $CI_SERVER_FQDN/polyarch/polyarch/build-multi-arch@{version}
    inputs:
      version: {version}
      releases: {releases}
      image: "{registry}/` + image + `"
      tag: v1
      name: hello
      optional: ` + optional + `
      wait: 1s
      context: hello
      command: |
        ` + fails + `
      files: [hello/k8s/*.yaml]
after:
  stage: deploy
  needs: [stitch-index]
  script:
    - echo "RESULT $PLATFORMS without $MISSING"
`})
		got := p.gitlab(t, c.Kubeconfig)
		if !strings.Contains(got.out, "no compiler for linux/arm64") {
			t.Errorf("%s: nothing failed:\n%s", optional, got.out)
		}
		if optional == "linux/amd64" {
			if got.code == 0 || tagged(t, shared.registry+"/"+image+":v1") {
				t.Errorf("%s: exit code %d\n%s", optional, got.code, got.out)
			}
			continue
		}
		if got.code != 0 {
			t.Fatalf("%s: gitlab-ci-local: exit code %d\n%s", optional, got.code, got.out)
		}
		lacks(t, shared.registry+"/"+image+":v1")
		if !strings.Contains(got.out, "> RESULT linux/amd64 without linux/arm64") {
			t.Errorf("the log lacks the result:\n%s", got.out)
		}
	}
}
