package ci

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// act runs a project's workflows for a push. Its jobs run on this machine; polyarch's actions are
// those of this repository, and artifacts go to a folder, since the actions that move them cannot be
// fetched.
func (p *project) act(t *testing.T, kubeconfig string, args ...string) outcome {
	t.Helper()
	return p.actFor(t, "push", "v1", kubeconfig, args...)
}

// actFor is act for an event, where polyarch is known by one reference.
func (p *project) actFor(t *testing.T, event, ref, kubeconfig string, args ...string) outcome {
	t.Helper()
	store := filepath.Join(t.TempDir(), "artifacts")
	if err := os.Mkdir(store, 0o755); err != nil {
		t.Fatal(err)
	}
	argv := []string{
		event, "-P", "ubuntu-24.04=-self-hosted", "--env", "ARTIFACTS=" + store, "--env", "KEEP=" + p.keep,
		"--env", "RUNNER_TOOL_CACHE=" + t.TempDir(),
		"--local-repository", "polyarch/polyarch@" + ref + "=" + published(t, ref),
	}
	stand, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if argv = append(argv, p.serves...); p.serves == nil {
		argv = append(argv, "--no-cache-server")
	}
	for _, action := range thirdParty(t) {
		name, _, _ := strings.Cut(action, "@")
		if folder := filepath.Join(stand, filepath.Base(name)); exists(folder) {
			argv = append(argv, "--local-repository", action+"="+folder)
		}
	}
	text := ""
	if kubeconfig != "" {
		b, err := os.ReadFile(kubeconfig)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
		argv = append(argv, "-s", "KUBECONFIG")
	}
	return p.run(t, []string{"KUBECONFIG=" + text, "XDG_CACHE_HOME=" + p.home + "/cache"}, tool.Build(t, tool.Act), append(argv, args...)...)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// self is the repository itself, at its own commit, as GitHub's runners resolve it in a called workflow
// (actions/runner 2.336, ActionManager.ResolveSelfRepositoryReferences). act does not know it.
var self = regexp.MustCompile(`(uses: )\$(/\S+)`)

// published is this repository as those see it who call it by a reference: "$/" is written out as the
// runner resolves it.
func published(t *testing.T, ref string) string {
	t.Helper()
	to := t.TempDir()
	for _, dir := range []string{".github/workflows", "actions", "cmd", "internal"} {
		if err := os.CopyFS(filepath.Join(to, dir), os.DirFS(filepath.Join(repository(), dir))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"action.yml", "go.mod", "go.sum", ".github/workflows/build-multi-arch.yml"} {
		b, err := os.ReadFile(filepath.Join(repository(), file))
		if err != nil {
			t.Fatal(err)
		}
		b = self.ReplaceAll(b, []byte("${1}polyarch/polyarch${2}@"+ref))
		if err := os.WriteFile(filepath.Join(to, file), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// thirdParty returns the actions of others that our workflows and the projects of these tests use,
// OWNER/NAME@REF.
func thirdParty(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository(), ".github/workflows/build-multi-arch.yml"))
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"actions/upload-artifact@v7", "actions/download-artifact@v8"}
	for _, m := range regexp.MustCompile(`uses: ([a-z]+/[a-z-]+@[0-9a-f]{40}) # v`).FindAllStringSubmatch(string(b), -1) {
		if !slices.Contains(all, m[1]) {
			all = append(all, m[1])
		}
	}
	return all
}

// printed returns the JSON documents that steps printed after "RESULT ".
func printed(t *testing.T, log string) []map[string]string {
	t.Helper()
	var all []map[string]string
	for _, m := range regexp.MustCompile(`(?m)\| RESULT (\{.*\})$`).FindAllStringSubmatch(log, -1) {
		var v map[string]string
		if err := json.Unmarshal([]byte(m[1]), &v); err != nil {
			t.Fatalf("%v: %s", err, m[1])
		}
		all = append(all, v)
	}
	return all
}

func TestGitHubReusableWorkflow(t *testing.T) {
	c := mixed(t)
	p := newProject(t, "https://github.com/acme/app", map[string]string{".github/workflows/image.yml": `
name: image
on: push
jobs:
  image:
    permissions: {contents: read, packages: write}
    uses: polyarch/polyarch/.github/workflows/build-multi-arch.yml@v1
    with:
      image: '{registry}/reusable'
      tag: |
        v1
        latest
      name: hello
      context: hello
      command: '{command}'
      runner: linux=ubuntu-24.04
      files: hello/k8s/*.yaml
    secrets:
      kubeconfig: ${{ secrets.KUBECONFIG }}
  after:
    needs: image
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/download-artifact@v8
        with: {name: '${{ needs.image.outputs.manifests }}', path: manifests}
      - shell: bash
        env:
          DIGEST: ${{ needs.image.outputs.image-digest }}
          REF: ${{ needs.image.outputs.image-ref }}
          PLATFORMS: ${{ needs.image.outputs.platforms }}
        run: echo "RESULT {\"digest\":\"$DIGEST\",\"ref\":\"$REF\",\"platforms\":\"$PLATFORMS\"}"; cp manifests/pod.yaml "$KEEP/"
`})
	got := p.act(t, c.Kubeconfig)
	if got.code != 0 {
		t.Fatalf("act: exit code %d\n%s", got.code, got.out)
	}
	digest, platforms := index(t, shared.registry+"/reusable:v1")
	if latest, _ := index(t, shared.registry+"/reusable:latest"); latest != digest {
		t.Errorf("latest is %s, v1 %s", latest, digest)
	}
	if d := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms); d != "" {
		t.Error(d)
	}
	want := []map[string]string{{"digest": digest, "ref": shared.registry + "/reusable@" + digest, "platforms": "linux/amd64,linux/arm64"}}
	if d := cmp.Diff(want, printed(t, got.out)); d != "" {
		t.Error(d)
	}
	for _, want := range []string{"build linux/amd64", "build linux/arm64", "```mermaid"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the log lacks %q:\n%s", want, got.out)
		}
	}
	scheduled(t, c, p.read(t, p.keep, "pod.yaml"), digest)
}

// A release is fetched and checked, and one step runs all of it.
func TestGitHubRootAction(t *testing.T) {
	c := mixed(t)
	p := newProject(t, "https://github.com/acme/app", map[string]string{".github/workflows/image.yml": `
name: image
on: push
jobs:
  image:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v7
      - shell: bash
        env: {TEXT: '${{ secrets.KUBECONFIG }}'}
        run: printf '%s\n' "$TEXT" > "$RUNNER_TEMP/kubeconfig"
      - id: polyarch
        uses: polyarch/polyarch@v1
        with:
          version: '{version}'
          releases: '{releases}'
          kubeconfig: ${{ runner.temp }}/kubeconfig
          image: '{registry}/root'
          tag: v1
          name: hello
          context: hello
          command: |
            # a script
            {command}
          files: |
            hello/k8s/*.yaml
      - shell: bash
        env: {OUTPUTS: '${{ toJSON(steps.polyarch.outputs) }}'}
        run: echo "RESULT $(tr -d '\n' <<< "$OUTPUTS")"; cp hello/k8s/pod.yaml "$KEEP/"
`})
	got := p.act(t, c.Kubeconfig)
	if got.code != 0 {
		t.Fatalf("act: exit code %d\n%s", got.code, got.out)
	}
	if n := strings.Count(got.out, "installed "+version); n != 1 {
		t.Errorf("the release was installed %d times:\n%s", n, got.out)
	}
	digest, _ := index(t, shared.registry+"/root:v1")
	results := printed(t, got.out)
	if len(results) != 1 || results[0]["image-digest"] != digest || results[0]["platforms"] != "linux/amd64,linux/arm64" ||
		results[0]["taints"] != "kubernetes.io/arch=arm64:NoSchedule" || results[0]["changed"] == "" {
		t.Errorf("outputs %v", results)
	}
	scheduled(t, c, p.read(t, p.keep, "pod.yaml"), digest)
}

// A step that fails says why in an annotation, with the place where there is one, and sets no output. Its
// exit code, which act does not show, is TestGitHubActionInputs'.
func TestGitHubFailures(t *testing.T) {
	c := mixed(t)
	for name, f := range map[string]struct {
		kubeconfig, step string
		annotation       string
	}{
		"a user who may not list nodes": {
			c.User(t, "github-nobody"), "uses: polyarch/polyarch/actions/detect-arch@v1\nwith: {kubeconfig: kubeconfig}",
			`::error title=detect-arch::.*nodes`,
		},
		"a platform that the cluster lacks": {
			c.Kubeconfig, "uses: polyarch/polyarch/actions/detect-arch@v1\nwith: {kubeconfig: kubeconfig, platform: linux/s390x}",
			`::error title=detect-arch::.*linux/s390x`,
		},
		"an image that is not there": {
			c.Kubeconfig, "uses: polyarch/polyarch/actions/stitch-index@v1\nwith: {image: '{registry}/none', tag: v1, sources: '{registry}/none:v0', wait: 1ms}",
			`::error title=stitch-index::.*none:v0`,
		},
		"a pod that contradicts its image": {
			c.Kubeconfig, "uses: polyarch/polyarch/actions/inject-affinity@v1\nwith: {artifacts: artifacts.json, files: wrong.yaml}",
			`::error file=wrong.yaml,line=\d+.*title=inject-affinity::`,
		},
		"a spoiled release": {
			c.Kubeconfig, "uses: polyarch/polyarch/actions/detect-arch@v1\nwith: {version: '{version}', releases: '{releases}/spoiled'}",
			`::error title=polyarch::.*has the checksum`,
		},
		"a step that there is not": {
			c.Kubeconfig, "uses: polyarch/polyarch@v1\nwith: {step: everything}",
			`::error title=polyarch::input step`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t, "https://github.com/acme/app", map[string]string{
				"artifacts.json": `{"builds":[{"imageName":"hello","tag":"{registry}/hello:v1","platforms":["linux/amd64"]}]}`,
				"wrong.yaml":     "apiVersion: v1\nkind: Pod\nmetadata: {name: hello}\nspec:\n  nodeSelector: {kubernetes.io/arch: arm64}\n  containers:\n  - {name: hello, image: hello}\n",
				".github/workflows/image.yml": `
name: image
on: push
jobs:
  image:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v7
      - shell: bash
        env: {TEXT: '${{ secrets.KUBECONFIG }}'}
        run: printf '%s\n' "$TEXT" > kubeconfig
      - id: it
        continue-on-error: true
        ` + strings.ReplaceAll(f.step, "\n", "\n        ") + `
      - shell: bash
        env: {OUTCOME: '${{ steps.it.outcome }}', OUTPUTS: '${{ toJSON(steps.it.outputs) }}'}
        run: echo "RESULT {\"outcome\":\"$OUTCOME\"}"; echo "RESULT $(tr -d '\n' <<< "$OUTPUTS")"
`})
			got := p.act(t, f.kubeconfig)
			if got.code != 0 {
				t.Fatalf("act: exit code %d\n%s", got.code, got.out)
			}
			results := printed(t, got.out)
			if len(results) != 2 || results[0]["outcome"] != "failure" {
				t.Fatalf("results %v\n%s", results, got.out)
			}
			for name, value := range results[1] {
				if value != "" {
					t.Errorf("output %s is %q", name, value)
				}
			}
			if !regexp.MustCompile(f.annotation).MatchString(got.out) {
				t.Errorf("the log lacks %s:\n%s", f.annotation, got.out)
			}
		})
	}
}

// Our own workflow, on the part of its matrix that this machine can be.
func TestGitHubOwnWorkflow(t *testing.T) {
	p := &project{dir: repository(), home: t.TempDir(), keep: t.TempDir()} // the job works on a copy
	got := p.act(t, "", "--workflows", ".github/workflows/actions.yml", "--matrix", "os:ubuntu-24.04")
	if got.code != 0 {
		t.Errorf("act: exit code %d\n%s", got.code, got.out)
	}
	for _, want := range []string{"image: 127.0.0.1", "What changed", "| `linux/arm64` | `sha256:"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the log lacks %q:\n%s", want, got.out)
		}
	}
}

// What GitHub's editor says about the actions and workflows: a step without a shell, an icon that
// does not exist, an unknown input.
func TestGitHubLanguageService(t *testing.T) {
	npm := tool.Npm(t)
	p := &project{dir: t.TempDir(), home: t.TempDir()}
	paths, err := filepath.Glob(filepath.Join(repository(), "actions", "*", "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	workflows, err := filepath.Glob(filepath.Join(repository(), ".github", "workflows", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	paths = append(append(paths, workflows...), filepath.Join(repository(), "action.yml"))
	if got := p.run(t, nil, "node", append([]string{filepath.Join(npm, "check-actions.cjs")}, paths...)...); got.code != 0 || got.out != "[]" {
		t.Errorf("%s", got.out)
	}
	bad := filepath.Join(p.dir, "action.yml")
	if err := os.WriteFile(bad, []byte("name: x\ndescription: y\nruns: {using: composite, steps: [{run: echo}]}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := p.run(t, nil, "node", filepath.Join(npm, "check-actions.cjs"), bad); !strings.Contains(got.out, "shell") {
		t.Errorf("a step without a shell is not found: %s", got.out)
	}
}
