package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/polyarch/polyarch/internal/kubeyaml"
	"github.com/polyarch/polyarch/internal/readiness"
	"github.com/polyarch/polyarch/internal/registry"
)

// pullSecrets are the credentials of Secrets, by namespace. Nothing of them is
// ever printed: errors say that a Secret cannot be read, not what is in it.
type pullSecrets map[string][]pullSecret

type pullSecret struct {
	name  string // of the Secret
	auths map[string]authn.AuthConfig
}

// The types of Secrets that kubelets take credentials from, with the key of
// their data.
// https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets
var dockerConfigs = map[string]string{"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}

// maxSecrets is how many Secrets with credentials are taken.
const maxSecrets = 10_000

func (s *pullSecrets) add(o kubeyaml.Other) error {
	var doc struct {
		Type             string
		Data, StringData map[string]string
	}
	bad := errors.New("it cannot be read as a Secret with registry credentials")
	if json.Unmarshal(o.JSON, &doc) != nil {
		return bad
	}
	key, ok := dockerConfigs[doc.Type]
	if !ok {
		return nil
	}
	text, plain := doc.StringData[key]
	b := []byte(text)
	if !plain {
		var err error
		if b, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(doc.Data[key]), "")); err != nil {
			return bad
		}
	}
	var file struct{ Auths map[string]authn.AuthConfig }
	into := any(&file)
	if key == ".dockercfg" {
		into = &file.Auths
	}
	if json.Unmarshal(b, into) != nil {
		return bad
	}
	if *s == nil {
		*s = pullSecrets{}
	}
	if len((*s)[o.Namespace]) < maxSecrets && len(file.Auths) > 0 {
		(*s)[o.Namespace] = append((*s)[o.Namespace], pullSecret{strings.Clone(o.Name), file.Auths})
	}
	return nil
}

// keychain returns the credentials of Secrets for the repositories of images
// that workloads of their namespace use, and for all others those of machine.
func (s pullSecrets) keychain(images map[string]*readiness.Image, machine authn.Keychain) authn.Keychain {
	if len(s) == 0 {
		return machine
	}
	found := secretKeychain{}
	for _, i := range images {
		ref, err := registry.ParseReference(i.Ref)
		if err != nil {
			continue
		}
		name := ref.Repository.String()
		for _, w := range i.Users {
			if _, known := found[name]; known {
				break
			}
			// Those that the workload names come first; a service account may
			// name any other.
			all := slices.Clone(s[w.Namespace])
			slices.SortStableFunc(all, func(a, b pullSecret) int {
				return rank(w.PullSecrets, a.name) - rank(w.PullSecrets, b.name)
			})
			for _, secret := range all {
				if cred, ok := secret.match(ref.Repository); ok {
					found[name] = cred
					break
				}
			}
		}
	}
	return authn.NewMultiKeychain(found, machine)
}

func rank(names []string, name string) int {
	if n := slices.Index(names, name); n >= 0 {
		return n
	}
	return len(names)
}

// secretKeychain has credentials by repository.
type secretKeychain map[string]authn.AuthConfig

func (k secretKeychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if cred, ok := k[r.String()]; ok {
		return authn.FromConfig(cred), nil
	}
	return authn.Anonymous, nil
}

// ResolveContext implements authn.ContextKeychain.
func (k secretKeychain) ResolveContext(_ context.Context, r authn.Resource) (authn.Authenticator, error) {
	return k.Resolve(r)
}

// match finds the credential for a repository as kubelets do: the parts of the
// host may have globs, a path is a prefix, and the longest entry wins.
// https://kubernetes.io/docs/concepts/containers/images/#config-json
func (s pullSecret) match(repo registry.Repository) (cred authn.AuthConfig, ok bool) {
	best := ""
	for entry, c := range s.auths {
		if e := trimEntry(entry); entryFits(e, repo) && (!ok || len(e) > len(best) || len(e) == len(best) && e < best) {
			best, cred, ok = e, c, true
		}
	}
	return cred, ok
}

// trimEntry drops what docker login writes around a host: a scheme, /v1/.
func trimEntry(entry string) string {
	for _, scheme := range []string{"https://", "http://"} {
		entry = strings.TrimPrefix(entry, scheme)
	}
	entry = strings.TrimSuffix(entry, "/")
	for _, version := range []string{"/v1", "/v2"} {
		entry = strings.TrimSuffix(entry, version)
	}
	return entry
}

func entryFits(entry string, repo registry.Repository) bool {
	host, prefix, _ := strings.Cut(entry, "/")
	if host == "index.docker.io" || host == "registry-1.docker.io" || host == "registry.hub.docker.com" {
		host = "docker.io"
	}
	if prefix != "" && repo.Path != prefix && !strings.HasPrefix(repo.Path, prefix+"/") {
		return false
	}
	want, wantPort, _ := strings.Cut(host, ":")
	have, havePort, _ := strings.Cut(repo.Host, ":")
	if wantPort != havePort {
		return false
	}
	globs, parts := strings.Split(want, "."), strings.Split(have, ".")
	if len(globs) != len(parts) {
		return false
	}
	for n, g := range globs {
		if ok, err := path.Match(g, parts[n]); err != nil || !ok {
			return false
		}
	}
	return true
}
