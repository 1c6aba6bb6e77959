package ci

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/polyarch/polyarch/internal/registry"
)

// An installed is a runner that has programs which print what they were started with.
type installed struct{ *project }

// program answers --help --json with the flags of its name, and otherwise prints its arguments and what
// is asked for in SHOW, a shell script; then it sets outputs.
const program = `#!/bin/sh
case $(basename "$0") in
detect-arch) flags='context platform verbose'; out=platforms ;;
stitch-index) flags='image tag platform artifacts-file context dry-run version'; out=image-digest ;;
inject-affinity) flags='image artifacts taints write check'; out=changed ;;
esac
if [ "$1 $2" = "--help --json" ]; then
  list=''
  for f in $flags; do list="$list{\"name\":\"$f\"},"; done
  echo "{\"flags\":[${list%,}]}"
  exit
fi
echo "$(basename "$0") in $(basename "$PWD"):$(printf ' [%s]' "$@")"
eval "$SHOW"
printf '%s<<_D_\nof\n%s\n_D_\n' $out "$(basename "$0")" >> "$GITHUB_OUTPUT"
exit ${CODE:-0}
`

func newInstalled(t *testing.T) installed {
	t.Helper()
	p := &project{dir: t.TempDir(), home: t.TempDir()}
	bin := filepath.Join(p.home, "cache", "polyarch", "v1.2.3", "linux-amd64")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"detect-arch", "stitch-index", "inject-affinity"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(program), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return installed{p}
}

// node runs an action as a runner does: inputs are variables, others are too.
func (p installed) node(t *testing.T, action string, inputs map[string]string, env ...string) (outcome, string) {
	t.Helper()
	output := filepath.Join(t.TempDir(), "output")
	env = append([]string{
		"RUNNER_OS=Linux", "RUNNER_ARCH=X64", "RUNNER_TOOL_CACHE=" + p.home + "/cache", "RUNNER_TEMP=" + t.TempDir(), "GITHUB_WORKSPACE=" + p.dir,
		"GITHUB_ACTOR=me", "GITHUB_OUTPUT=" + output, "ACTIONS_RUNTIME_TOKEN=t", "INPUT_VERSION=v1.2.3",
	}, env...)
	for name, value := range inputs {
		env = append(env, "INPUT_"+strings.ToUpper(name)+"="+value)
	}
	// bash does not pass on a name with a hyphen
	got := p.run(t, env, "node", filepath.Join(repository(), action))
	b, _ := os.ReadFile(output)
	return got, string(b)
}

func TestGitHubActionInputs(t *testing.T) {
	p := newInstalled(t)
	if err := os.Mkdir(filepath.Join(p.dir, "app"), 0o755); err != nil {
		t.Fatal(err)
	}
	hard := "$(touch x) `id` \"a\" 'b' * ; --json"
	got, out := p.node(t, "actions/stitch-index/index.js", map[string]string{
		"dry-run": "true", "tag": "v1\nlatest", "image": hard, "platform": "", "working-directory": "app",
		"sources": "r:a, r:b", "command": "echo \"$PLATFORM\"", "none": "x",
	}, "SHOW=env | grep -c ^INPUT_; echo \"token $ACTIONS_RUNTIME_TOKEN\"")
	want := "stitch-index in app: [--github] [--dry-run=true] [--image=" + hard + "] [--tag=v1\nlatest] [r:a] [r:b] [--] [bash] [-euo] [pipefail] [-c] [echo \"$PLATFORM\"]\n0\ntoken t\n"
	if d := cmp.Diff(outcome{0, want}, got, cmp.AllowUnexported(outcome{})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff("image-digest<<_D_\nof\nstitch-index\n_D_\n", out); d != "" {
		t.Error(d)
	}
	// those that build nothing do not need the token of the cache
	if got, _ := p.node(t, "actions/detect-arch/index.js", nil, "SHOW=echo \"token $ACTIONS_RUNTIME_TOKEN\""); got.out != "detect-arch in "+filepath.Base(p.dir)+": [--github]\ntoken \n" {
		t.Error(got)
	}
	for _, c := range []struct {
		action  string
		inputs  map[string]string
		env     string
		code    int
		message string
	}{
		{"actions/stitch-index/index.js", map[string]string{"working-directory": "none"}, "", 2, "::error title=polyarch::input working-directory: there is no folder "},
		{"actions/stitch-index/index.js", map[string]string{"sources": "--json"}, "", 2, `the argument "--json" starts with -`},
		{"actions/stitch-index/index.js", map[string]string{"docker-config": "secret"}, "", 2, "::error title=polyarch::reading the registries' credentials: the input docker-config is not a JSON object\n"},
		{"actions/stitch-index/index.js", map[string]string{"version": "v1\n::x::"}, "", 1, `"v1%0A::x::" is no version`},
		{"actions/stitch-index/index.js", nil, "CODE=3", 3, "stitch-index in "},
		{"actions/stitch-index/index.js", nil, "SHOW=kill -TERM $$", 143, "stitch-index in "},
		{"actions/index.js", map[string]string{"step": "every\nthing"}, "", 2, "::error title=polyarch::input step: it takes all, detect-arch, stitch-index or inject-affinity, and got \"every%0Athing\"\n"},
	} {
		if got, _ := p.node(t, c.action, c.inputs, c.env); got.code != c.code || !strings.Contains(got.out, c.message) {
			t.Errorf("%v %s: %+v, want %d and %q", c.inputs, c.env, got, c.code, c.message)
		}
	}
}

// The root action hands the results of one program to the next.
func TestGitHubRootActionInputs(t *testing.T) {
	p := newInstalled(t)
	inputs := map[string]string{"step": "all", "kube-context": "a\nb", "context": "src", "platform": "arm64", "image": "r/app", "write": "true", "files": "k8s"}
	got, out := p.node(t, "actions/index.js", inputs)
	lines := regexp.MustCompile(`/tmp/\S*?/polyarch-artifacts`).ReplaceAllString(got.out, "TEMP/polyarch-artifacts")
	dir := filepath.Base(p.dir)
	want := fmt.Sprintf(`detect-arch in %[1]s: [--github] [--context=a
b] [--platform=arm64]
stitch-index in %[1]s: [--github] [--artifacts-file=TEMP/polyarch-artifacts.json] [--context=src] [--image=r/app] [--platform=of
detect-arch]
inject-affinity in %[1]s: [--github] [--artifacts=TEMP/polyarch-artifacts.json] [--write=true] [k8s]
`, dir)
	if d := cmp.Diff(outcome{0, want}, outcome{got.code, lines}, cmp.AllowUnexported(outcome{})); d != "" {
		t.Error(d)
	}
	if n := strings.Count(out, "<<_D_"); n != 3 {
		t.Errorf("%d outputs: %s", n, out)
	}
	inputs["step"] = "inject-affinity"
	inputs["check"] = "true"
	got, _ = p.node(t, "actions/index.js", inputs)
	if d := cmp.Diff("inject-affinity in "+dir+": [--github] [--check=true] [k8s]\n", got.out); d != "" {
		t.Error(d)
	}
	if got, out := p.node(t, "actions/index.js", inputs, "CODE=4"); got.code != 4 || out != "" {
		t.Errorf("%+v %s", got, out)
	}
}

// Credentials are added to those that the runner has, and what is in Docker's folder beside them,
// builders and plugins, stays in use.
func TestGitHubCredentials(t *testing.T) {
	const show = `SHOW=cat "${DOCKER_CONFIG:-none}/config.json" 2> /dev/null; [ -z "$DOCKER_CONFIG" ] || { stat -c %a "$DOCKER_CONFIG" "$DOCKER_CONFIG/config.json"; cat "$DOCKER_CONFIG/contexts/mine" 2> /dev/null; }; [ -z "$REGISTRY_AUTH_FILE" ] || [ "$REGISTRY_AUTH_FILE" = "$DOCKER_CONFIG/config.json" ] || cat "$REGISTRY_AUTH_FILE"; echo "token $GITHUB_TOKEN, builders in ${BUILDX_CONFIG##*/.}"`
	// what a builder gets of the job is what the programs find by themselves
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	own, err := registry.Keychain(func(name string) string {
		return map[string]string{"GITHUB_ACTOR": "me", "GITHUB_TOKEN": "t"}[name]
	}).Resolve(registry.Repository{Host: "ghcr.io", Path: "app"})
	if err != nil {
		t.Fatal(err)
	}
	cred, err := authn.Authorization(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	ours := fmt.Sprintf(`"ghcr.io":{"auth":"%s"}`, base64.StdEncoding.EncodeToString([]byte(cred.Username+":"+cred.Password)))
	for name, c := range map[string]struct {
		home, podman string // config.json, auth.json
		inputs       map[string]string
		want         string
	}{
		"nothing":               {"", "", nil, "token , builders in \n"},
		"the job's token":       {"", "", map[string]string{"github-token": "t"}, `{"auths":{` + ours + `}}` + "\n700\n600\ntoken t, builders in docker/buildx\n"},
		"Docker Hub is there":   {`{"auths":{"https://index.docker.io/v1/":{"auth":"x"}},"currentContext":"mine"}`, "", map[string]string{"github-token": "t"}, `{"auths":{"https://index.docker.io/v1/":{"auth":"x"},` + ours + `},"currentContext":"mine"}` + "\n700\n600\nmine\ntoken t, builders in docker/buildx\n"},
		"ghcr.io is there":      {`{"auths":{"ghcr.io":{"auth":"x"}}}`, "", map[string]string{"github-token": "t"}, "token t, builders in \n"},
		"a helper is there":     {`{"credHelpers":{"ghcr.io":"x","gcr.io":"gcloud"}}`, "", map[string]string{"github-token": "t"}, "token t, builders in \n"},
		"a store is there":      {`{"credsStore":"desktop"}`, "", map[string]string{"github-token": "t"}, `{"credsStore":"desktop","auths":{` + ours + `},"credHelpers":{"ghcr.io":""}}` + "\n700\n600\nmine\ntoken t, builders in docker/buildx\n"},
		"a config is given":     {`{"auths":{"a":{"auth":"x"},"b":{"auth":"x"}},"credHelpers":{"b":"h","gcr.io":"gcloud"}}`, "", map[string]string{"docker-config": `{"auths":{"b":{"auth":"y"}}}`}, `{"auths":{"a":{"auth":"x"},"b":{"auth":"y"}},"credHelpers":{"gcr.io":"gcloud"}}` + "\n700\n600\nmine\ntoken , builders in docker/buildx\n"},
		"podman's are there":    {"", `{"auths":{"q":{"auth":"z"}}}`, map[string]string{"github-token": "t"}, `{"auths":{` + ours + `}}` + "\n700\n600\n" + `{"auths":{"q":{"auth":"z"},` + ours + `}}` + "\ntoken t, builders in docker/buildx\n"},
		"what is given is both": {"", "", map[string]string{"github-token": "t", "docker-config": `{"auths":{"ghcr.io":{"auth":"y"}}}`}, `{"auths":{"ghcr.io":{"auth":"y"}}}` + "\n700\n600\ntoken t, builders in docker/buildx\n"},
	} {
		p := newInstalled(t)
		files := map[string]string{}
		if c.home != "" {
			files[".docker/config.json"], files[".docker/contexts/mine"] = c.home, "mine\n"
		}
		env := []string{show}
		if c.podman != "" {
			files["auth.json"] = c.podman
			env = append(env, "REGISTRY_AUTH_FILE="+p.home+"/auth.json")
		}
		for path, text := range files {
			path = filepath.Join(p.home, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, _ := p.node(t, "actions/stitch-index/index.js", c.inputs, env...)
		_, after, _ := strings.Cut(got.out, "\n")
		if d := cmp.Diff(outcome{0, c.want}, outcome{got.code, after}, cmp.AllowUnexported(outcome{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if c.home != "" {
			if now := p.read(t, p.home, ".docker/config.json"); now != c.home {
				t.Errorf("%s: the runner's own file was changed: %s", name, now)
			}
		}
	}
}
