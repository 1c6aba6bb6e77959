package ci

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// A commit of polyarch, as somebody pins it.
const pinned = "0123456789abcdef0123456789abcdef01234567"

// variants adds three programs to a project, in folders of their own, which say their folder's
// name.
func variants(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, v := range []string{"alpine", "debian", "worker"} {
		files[v+"/go.mod"] = "module " + v + "\n\ngo 1.24\n"
		files[v+"/main.go"] = "package main\n\nfunc main() { println(\"I am of the variant " + v + "\") }\n"
	}
	return files
}

// says checks that every image of an index is of one variant.
func says(t *testing.T, ref, variant string, others ...string) {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(r, remote.WithContext(t.Context()))
	if err != nil {
		t.Errorf("%s: %v", ref, err)
		return
	}
	saysIndex(t, ref, index, variant, others...)
}

func saysIndex(t *testing.T, ref string, index v1.ImageIndex, variant string, others ...string) {
	t.Helper()
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, d := range m.Manifests {
		platforms = append(platforms, d.Platform.String())
		image, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := image.Layers()
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for _, l := range layers {
			r, err := l.Uncompressed()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		if !bytes.Contains(all, []byte("I am of the variant "+variant)) {
			t.Errorf("%s for %s is not of the variant %s", ref, d.Platform, variant)
		}
		for _, o := range others {
			if bytes.Contains(all, []byte("I am of the variant "+o)) {
				t.Errorf("%s for %s is of the variant %s", ref, d.Platform, o)
			}
		}
	}
	if d := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms); d != "" {
		t.Errorf("%s: %s", ref, d)
	}
}

// Two variants of one image and another image whose name starts alike, in one workflow, with the
// platforms by name and no cluster: each tag has what its own jobs built. The workflow is called at a
// commit, and there is no other reference by which it could find its own actions.
func TestGitHubSeveralImages(t *testing.T) {
	files := variants(t)
	call := func(variant, image, tag string) string {
		return `
  ` + variant + `:
    permissions: {contents: read, packages: write}
    uses: polyarch/polyarch/.github/workflows/build-multi-arch.yml@` + pinned + `
    with:
      platform: linux/amd64,linux/arm64
      runner: linux=ubuntu-24.04
      image: '{registry}/` + image + `'
      tag: ` + tag + `
      context: ` + variant + `
      command: '{command}'`
	}
	files[".github/workflows/image.yml"] = "name: image\non: push\njobs:" + call("alpine", "several/app", "v1-alpine") + call("debian", "several/app", "v1-debian") + call("worker", "several/app-worker", "v1-alpine") + "\n"
	// what a commit can leave where lists of sources travel
	files["polyarch-source-linux_amd64"] = "{registry}/several/app-worker:v1-alpine\n"
	files["sources.json"] = files["polyarch-source-linux_amd64"]
	p := newProject(t, "https://github.com/acme/app", files)
	got := p.actFor(t, "push", pinned, "")
	if got.code != 0 {
		t.Fatalf("act: exit code %d\n%s", got.code, got.out)
	}
	says(t, shared.registry+"/several/app:v1-alpine", "alpine", "debian", "worker")
	says(t, shared.registry+"/several/app:v1-debian", "debian", "alpine", "worker")
	says(t, shared.registry+"/several/app-worker:v1-alpine", "worker", "alpine", "debian")
	names := regexp.MustCompile(`uploaded polyarch-([0-9a-f]{32})-linux_\w+`).FindAllStringSubmatch(got.out, -1)
	var keys []string
	for _, m := range names {
		keys = append(keys, m[1])
	}
	slices.Sort(keys)
	if len(names) != 6 || len(slices.Compact(keys)) != 3 {
		t.Errorf("artifacts %v, want two of each of three keys", names)
	}
	if n := strings.Count(got.out, "downloaded polyarch-"); n != 6 {
		t.Errorf("%d artifacts of sources were taken, want 6", n)
	}
}

// A pull request from a fork: the token reads, there are no secrets and no registry, and what is built
// is kept.
func TestGitHubPullRequest(t *testing.T) {
	files := variants(t)
	files[".github/workflows/image.yml"] = `
name: image
on: pull_request
permissions: {contents: read}
jobs:
  image:
    uses: polyarch/polyarch/.github/workflows/build-multi-arch.yml@v1
    with:
      push: ${{ github.event_name != 'pull_request' }}
      platform: linux/amd64,linux/arm64
      runner: linux=ubuntu-24.04
      image: 'registry.invalid/acme/app'
      tag: pr
      context: alpine
      command: |
        echo "PUSH_IMAGE is $PUSH_IMAGE, the token is '${GITHUB_TOKEN-}', $(env | grep -cE '^(GITHUB_(OUTPUT|ENV|PATH|STEP_SUMMARY)|ACTIONS_|INPUT_)' || true)"
        {command}
      files: hello/k8s/*.yaml
  after:
    needs: image
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/download-artifact@v8
        with: {name: '${{ needs.image.outputs.layout }}', path: image}
      - shell: bash
        env: {OUTPUTS: '${{ toJSON(needs.image.outputs) }}'}
        run: echo "RESULT $(tr -d '\n' <<< "$OUTPUTS")"; cp -r image "$KEEP/"
`
	p := newProject(t, "https://github.com/stranger/app", files)
	got := p.actFor(t, "pull_request", "v1", "")
	if got.code != 0 {
		t.Fatalf("act: exit code %d\n%s", got.code, got.out)
	}
	if n := strings.Count(got.out, "PUSH_IMAGE is false, the token is '', 0"); n != 2 {
		t.Errorf("%d builds saw that nothing is pushed, and nothing of the job, want 2:\n%s", n, got.out)
	}
	index, err := layout.ImageIndexFromPath(filepath.Join(p.keep, "image"))
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
	saysIndex(t, "the layout", inner, "alpine")
	results := printed(t, got.out)
	if len(results) != 1 || results[0]["image-digest"] != m.Manifests[0].Digest.String() || results[0]["image-url"] != "" || results[0]["image-ref"] != "" || results[0]["manifests"] != "" {
		t.Errorf("outputs %v", results)
	}
}

// A leg whose list is of another commit, as what a file says: refused by the file's name, and no tag moves.
func TestGitHubPlantedSource(t *testing.T) {
	files := variants(t)
	files["planted"] = `{"for":{"commit":"0000","run":"1"},"sources":["{registry}/other:v1=linux/amd64"]}` + "\n"
	files["plain"] = "{registry}/other:v1=linux/amd64\n"
	files[".github/workflows/image.yml"] = `
name: image
on: push
jobs:
  image:
    runs-on: ubuntu-24.04
    strategy: {matrix: {file: [planted, plain]}}
    steps:
      - uses: actions/checkout@v7
      - id: it
        continue-on-error: true
        uses: polyarch/polyarch/actions/stitch-index@v1
        with: {image: '{registry}/planted', tag: v1, sources-file: '${{ matrix.file }}', made-for: 'commit=${{ github.sha }}'}
      - shell: bash
        env: {OUTCOME: '${{ steps.it.outcome }}'}
        run: echo "RESULT {\"outcome\":\"$OUTCOME\"}"
`
	p := newProject(t, "https://github.com/acme/app", files)
	got := p.act(t, "")
	for _, want := range []string{
		`::error title=stitch-index::taking the source \S+/other:v1 \(planted, \S+\): it was made for commit 0000, and this run takes those of [0-9a-f]{40}`,
		`::error title=stitch-index::taking the source \S+/other:v1 \(plain, line 1\): the list does not say which commit it was made for`,
	} {
		if !regexp.MustCompile(want).MatchString(got.out) {
			t.Errorf("exit code %d, the log lacks %s:\n%s", got.code, want, got.out)
		}
	}
	for _, r := range printed(t, got.out) {
		if r["outcome"] != "failure" {
			t.Errorf("results %v", r)
		}
	}
	if _, err := os.Stat(filepath.Join(p.dir, "planted")); err != nil {
		t.Error(err)
	}
}
