package builder

import (
	"path/filepath"
	"slices"
	"strings"
)

// buildah runs buildah build and buildah push. A base image has one name in
// its store, whatever the platform, and it finds what it has pulled by that
// name: of two builds at a time one may take the other's, or find none.
func buildah() Builder {
	return Builder{
		Name:     "buildah",
		Program:  "buildah",
		Remedy:   "install buildah, or run in its image, quay.io/buildah/stable",
		emulates: true,

		annotates: true,
		Options:   []Option{Dockerfile, Target, BuildArg, Label, Secret, CacheFrom, CacheTo},
		alone:     func(Host) string { return "two builds that pull the same base image take each other's" },

		clean: "buildah prune",
		login: "buildah login ",
		signs: []sign{installed(noDaemon, "buildah", "buildah")},
		plan: func(r Request, leg Leg) (Build, error) {
			digest := filepath.Join(leg.Dir, "digest")
			argv := []string{"buildah", "build", "--platform", leg.Platforms.String(), "--tag", leg.Ref}
			// Before 1.29 it expands FROM --platform=$BUILDPLATFORM to nothing, with a
			// warning, and the compiler that was meant to run here is emulated.
			if !r.hasBuildArg("BUILDPLATFORM") {
				argv = append(argv, "--build-arg", "BUILDPLATFORM="+r.Host.Platform.String())
			}
			argv = append(argv, r.dockerfileFlags("--file")...)
			argv = append(argv, each("--annotation", leg.annotations(r))...)
			argv = append(argv, each("--cache-from", leg.own(r.CacheFrom))...)
			argv = append(argv, each("--cache-to", leg.own(r.CacheTo))...)
			argv = append(argv, r.Args...)
			push := []string{"buildah", "push", "--digestfile", digest}
			to := "docker://" + leg.Ref
			switch {
			case r.Layout:
				to = "oci:" + leg.layout()
			case r.PlainHTTP:
				push = append(push, "--tls-verify=false")
			}
			env := dockerCredentials(r.Host)
			return Build{
				Steps: []Step{
					{Argv: append(argv, r.Context), Env: env},
					{Argv: append(push, leg.Ref, to), Env: env},
				},
				Collect: r.collect(leg, digestInFile(digest)),
			}, nil
		},
	}
}

// dockerCredentials points buildah, which does not look at DOCKER_CONFIG, to
// the credentials there.
func dockerCredentials(h Host) []string {
	dir := h.Getenv("DOCKER_CONFIG")
	if dir == "" || h.Getenv("REGISTRY_AUTH_FILE") != "" {
		return nil
	}
	file := filepath.Join(dir, "config.json")
	if !h.Exists(file) {
		return nil
	}
	return []string{"REGISTRY_AUTH_FILE=" + file}
}

func (r Request) hasBuildArg(name string) bool {
	return slices.ContainsFunc(r.BuildArgs, func(a string) bool { return a == name || strings.HasPrefix(a, name+"=") })
}
