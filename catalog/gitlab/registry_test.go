package gitlab_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/polyarch/polyarch/internal/registry"
)

// The job's registry is known to the program and to builders; a config.json or
// DOCKER_AUTH_CONFIG that the project has counts more.
func TestRegistry(t *testing.T) {
	const show = "#!/bin/sh\n[ -z \"$DOCKER_CONFIG\" ] || { ls -l \"$REGISTRY_AUTH_FILE\" | cut -c 1-10; cat \"$DOCKER_CONFIG/config.json\"; }\n"
	ci := []string{"CI_REGISTRY=registry.example", "CI_REGISTRY_USER=me", "CI_REGISTRY_PASSWORD=t"}
	for _, c := range []struct {
		env  []string
		want string
	}{
		{ci, "-rw-------\n{\"auths\":{\"registry.example\":{\"auth\":\"bWU6dA==\"}}}\n"},
		{append(ci, `DOCKER_AUTH_CONFIG={"auths":{}}`), "-rw-------\n{\"auths\":{}}\n"},
		{nil, ""},
	} {
		if d := cmp.Diff(result{0, c.want, ""}, job(t, t.TempDir(), append(c.env, path(t, show))...), cmp.AllowUnexported(result{})); d != "" {
			t.Errorf("%v: %s", c.env, d)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".docker"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".docker"), map[string]string{"config.json": "{}"})
	if got := job(t, dir, append(ci, path(t, show))...); got.out != "" {
		t.Errorf("the job's own config.json is hidden: %+v", got)
	}
}

// What a builder gets of the job's variables is what the programs find in them.
func TestRegistryIsTheProgramsRule(t *testing.T) {
	const show = "#!/bin/sh\n[ -z \"${DOCKER_CONFIG:-}\" ] || cat \"$DOCKER_CONFIG/config.json\"\n"
	full := []string{"CI_REGISTRY=registry.example:5050", "CI_REGISTRY_USER=me", "CI_REGISTRY_PASSWORD=a:b\"c$d"}
	cases := [][]string{nil, full}
	for n := range full { // each variable is missing, and empty
		name, _, _ := strings.Cut(full[n], "=")
		without := slices.Delete(slices.Clone(full), n, n+1)
		cases = append(cases, without, append(slices.Clone(without), name+"="))
	}
	find := func(k authn.Keychain, host string) authn.AuthConfig {
		t.Helper()
		a, err := k.Resolve(registry.Repository{Host: host, Path: "app"})
		if err != nil {
			t.Fatal(err)
		}
		cred, err := authn.Authorization(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		return authn.AuthConfig{Username: cred.Username, Password: cred.Password}
	}
	found := 0
	for _, env := range cases {
		got := job(t, t.TempDir(), append(slices.Clone(env), path(t, show))...)
		if got.code != 0 {
			t.Errorf("%q: %+v", env, got)
		}
		none, written := t.TempDir(), t.TempDir()
		if got.out != "" {
			write(t, written, map[string]string{"config.json": got.out})
		}
		for _, host := range []string{"registry.example:5050", "registry.example", "ghcr.io"} {
			t.Setenv("DOCKER_CONFIG", none)
			want := find(registry.Keychain(func(name string) string {
				for _, v := range env {
					if value, ok := strings.CutPrefix(v, name+"="); ok {
						return value
					}
				}
				return ""
			}), host)
			t.Setenv("DOCKER_CONFIG", written)
			if has := find(authn.DefaultKeychain, host); has != want {
				t.Errorf("%q: %s: a builder gets %+v, the programs %+v", env, host, has, want)
			}
			if want.Username != "" {
				found++
			}
		}
	}
	if found != 1 {
		t.Errorf("%d credentials were found, want 1", found)
	}
}
