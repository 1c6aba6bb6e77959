package registry

import (
	"context"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/polyarch/polyarch/internal/exit"
)

// Keychain returns the credentials of Docker's config file and its helpers,
// and, for hosts that these do not know, those that CI systems put into the
// environment.
func Keychain(getenv func(string) string) authn.Keychain {
	return authn.NewMultiKeychain(authn.DefaultKeychain, environment(getenv))
}

// environment finds credentials in a job's variables
// (docs.gitlab.com/ci/variables/predefined_variables,
// docs.github.com/actions/security-for-github-actions/security-guides/automatic-token-authentication).
type environment func(string) string

// Resolve implements authn.Keychain.
func (getenv environment) Resolve(r authn.Resource) (authn.Authenticator, error) {
	var user, password string
	switch host := r.RegistryStr(); {
	case host == getenv("CI_REGISTRY"):
		user, password = getenv("CI_REGISTRY_USER"), getenv("CI_REGISTRY_PASSWORD")
	case host == "ghcr.io":
		user, password = getenv("GITHUB_ACTOR"), getenv("GITHUB_TOKEN")
		if user == "" {
			user = "x-access-token"
		}
	}
	if user == "" || password == "" {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(authn.AuthConfig{Username: user, Password: password}), nil
}

// resolve asks a keychain, and abandons it when ctx ends: a helper may wait for
// somebody to log in.
func resolve(ctx context.Context, k authn.Keychain, repo Repository) (cred authn.AuthConfig, err error) {
	type answer struct {
		cred *authn.AuthConfig
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		a, err := authn.Resolve(ctx, k, repo)
		if err != nil {
			answers <- answer{nil, err}
			return
		}
		cred, err := authn.Authorization(ctx, a)
		answers <- answer{cred, err}
	}()
	select {
	case <-ctx.Done():
		return cred, context.Cause(ctx)
	case a := <-answers:
		if a.err != nil {
			return cred, exit.Deniedf("reading the credential for %s: %w", repo.Host, a.err).
				Hint("it comes from Docker's config file or from the program that it names: does docker login %s work?", repo.Host)
		}
		return *a.cred, nil
	}
}
