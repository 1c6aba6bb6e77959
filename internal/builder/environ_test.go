//go:build unix

package builder

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A build sees neither the files that control the job nor a token, unless the user names it.
func TestEnviron(t *testing.T) {
	all := []string{
		"PATH=/bin", "GITHUB_SHA=1f2e", "CI=true", "DOCKER_CONFIG=/c", "CI_REGISTRY=registry.example", "AWS_REGION=x",
		"GITHUB_OUTPUT=/o", "GITHUB_ENV=/e", "GITHUB_PATH=/p", "GITHUB_STATE=/s", "GITHUB_STEP_SUMMARY=/m", "GITHUB_TOKEN=t", "github_token=t",
		"ACTIONS_RUNTIME_TOKEN=t", "ACTIONS_RESULTS_URL=u", "ACTIONS_CACHE_SERVICE_V2=true", "ACTIONS_CACHE_URL=c", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=i",
		"INPUT_DOCKER-CONFIG={}", "POLYARCH_COMMAND=x", "CI_REGISTRY_PASSWORD=p", "CI_JOB_TOKEN=j", "DOCKER_AUTH_CONFIG={}", "NPM=n",
	}
	plain := []string{"PATH=/bin", "GITHUB_SHA=1f2e", "CI=true", "DOCKER_CONFIG=/c", "CI_REGISTRY=registry.example", "AWS_REGION=x"}
	cache := []string{"ACTIONS_RUNTIME_TOKEN=t", "ACTIONS_RESULTS_URL=u", "ACTIONS_CACHE_SERVICE_V2=true", "ACTIONS_CACHE_URL=c"}
	login := []string{"DOCKER_AUTH_CONFIG={}"}
	join := func(parts ...[]string) (s []string) {
		for _, p := range parts {
			s = append(s, p...)
		}
		return append(s, "NPM=n")
	}
	gha := Request{CacheTo: []string{"type=gha,scope={platform}"}}
	for name, c := range map[string]struct {
		builder string
		request Request
		want    []string
	}{
		"a command":                        {"custom", Request{}, join(plain)},
		"a command, and a cache of GitHub": {"custom", gha, join(plain)},
		"buildx":                           {"buildx", Request{CacheFrom: []string{"type=registry,ref=r"}}, join(plain, login)},
		"buildx, and a cache of GitHub":    {"buildx", gha, join(plain, cache, login)},
		"buildctl, and a cache of GitHub":  {"buildkit", gha, join(plain, cache, login)},
		"ko, and a cache of GitHub":        {"ko", gha, join(plain, login)},
		"a secret by name":                 {"custom", Request{Secrets: []string{"id=a,env=CI_JOB_TOKEN"}}, join(plain, []string{"CI_JOB_TOKEN=j"})},
		"a secret of that name":            {"buildx", Request{Secrets: []string{"id=GITHUB_TOKEN"}}, join(plain, []string{"GITHUB_TOKEN=t"}, login)},
		"an argument by name":              {"buildah", Request{BuildArgs: []string{"CI_JOB_TOKEN", "GITHUB_TOKEN=x"}}, join(plain, []string{"CI_JOB_TOKEN=j"}, login)},
	} {
		b, err := Lookup(c.builder)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, b.Environ(all, c.request)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestBuildersThatOnlyPush(t *testing.T) {
	m := machine{files: map[string]string{"/src/Dockerfile": ""}}
	for name, pushes := range map[string]bool{
		"docker": false, "buildx": false, "buildkit": false, "buildah": false, "kaniko": false, "ko": false, "custom": false, "bazel": false,
		"jib-maven": true, "jib-gradle": true, "pack": true, "gcb": true,
	} {
		b, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		r := full(b, m)
		r.Layout = true
		if _, err := b.Plan(r, "/tmp/x"); (err != nil) != pushes {
			t.Errorf("%s: %v", name, err)
		}
	}
}
