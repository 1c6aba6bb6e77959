package registry

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/polyarch/polyarch/internal/exit"
)

func TestEnvironment(t *testing.T) {
	gitlab := map[string]string{"CI_REGISTRY": "registry.gitlab.test", "CI_REGISTRY_USER": "job", "CI_REGISTRY_PASSWORD": "secret"}
	for _, c := range []struct {
		env        map[string]string
		host, want string
	}{
		{gitlab, "registry.gitlab.test", "job:secret"},
		{gitlab, "gitlab.test", ":"},
		{gitlab, "registry.gitlab.test.evil.test", ":"},
		{map[string]string{"GITHUB_TOKEN": "secret"}, "ghcr.io", "x-access-token:secret"},
		{map[string]string{"GITHUB_TOKEN": "secret", "GITHUB_ACTOR": "me"}, "ghcr.io", "me:secret"},
		{map[string]string{"GITHUB_TOKEN": "secret"}, "docker.io", ":"},
		{map[string]string{"GITHUB_TOKEN": "secret"}, "ghcr.io.evil.test", ":"},
		{nil, "ghcr.io", ":"},
		{nil, "", ":"},
	} {
		a, err := environment(func(k string) string { return c.env[k] }).Resolve(Repository{Host: c.host, Path: "x"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := authn.Authorization(t.Context(), a)
		if err != nil || got.Username+":"+got.Password != c.want {
			t.Errorf("%s: %s:%s, %v, want %s", c.host, got.Username, got.Password, err, c.want)
		}
	}
}

// A waiting helper does not answer until it is closed.
type waiting chan struct{}

func (w waiting) Resolve(authn.Resource) (authn.Authenticator, error) {
	<-w
	return nil, errors.New("nobody logged in")
}

func TestAHelperThatWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	helper := make(waiting)
	if _, err := resolve(ctx, helper, Repository{Host: "a.test"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(helper)
	if _, err := resolve(t.Context(), helper, Repository{Host: "a.test"}); exit.CodeOf(err) != exit.Denied {
		t.Error(err)
	}
}
