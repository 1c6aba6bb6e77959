package builder

import (
	"path/filepath"
)

// ko builds a Go program without a Dockerfile: one call makes an index of all
// platforms. --target names the package, which is the context's by default.
func ko() Builder {
	return Builder{
		Name:          "ko",
		Program:       "ko",
		Remedy:        "install it: go install github.com/google/ko@latest",
		secretsByName: true,
		Once:          true,
		Options:       []Option{Target, Label, Secret},
		Instead: map[Option]string{
			Dockerfile: "ko needs no Dockerfile; its settings are in .ko.yaml",
			BuildArg:   "ko's build flags are in .ko.yaml, or --builder-arg --ldflags=…",
		},

		clean: "go clean -cache",
		login: "ko login ",
		signs: []sign{{ownFile, ".ko.yaml", func(r Request) string {
			switch {
			case r.has(".ko.yaml"):
				return "there is a .ko.yaml"
			case r.has("go.mod") && r.Host.Look("ko"):
				return "there is a Go module without a Dockerfile, and ko is installed"
			}
			return ""
		}}},
		plan: func(r Request, leg Leg) (Build, error) {
			refs := filepath.Join(leg.Dir, "refs")
			argv := []string{"ko", "build", "--bare", "--platform", leg.Platforms.String(), "--tags", leg.tag(), "--image-refs", refs}
			if r.PlainHTTP && !r.Loopback { // ko detects loopback itself; the flag applies to base images too
				argv = append(argv, "--insecure-registry")
			}
			for _, l := range r.Labels {
				argv = append(argv, "--image-label", csv(l))
			}
			if r.Layout {
				argv = append(argv, "--push=false", "--oci-layout-path", leg.layout())
			}
			argv = append(argv, r.Args...)
			target := r.Target
			if target == "" {
				target = "."
			}
			return Build{
				Steps:   []Step{{Argv: append(argv, target), Dir: r.Context, Env: []string{"KO_DOCKER_REPO=" + r.Image}}},
				Collect: r.collect(leg, digestInFile(refs)), // the index first, then what is in it
			}, nil
		},
	}
}
