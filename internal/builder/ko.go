package builder

import (
	"path/filepath"
)

// ko builds a Go program without a Dockerfile: one call makes an index of all
// platforms. --target names the package, which is the context's by default.
func ko() Builder {
	return Builder{
		Name:    "ko",
		Program: "ko",
		Remedy:  "install it: go install github.com/google/ko@latest",
		Once:    true,
		Options: []Option{Target},
		Instead: map[Option]string{
			Dockerfile: "ko needs no Dockerfile; its settings are in .ko.yaml",
			BuildArg:   "ko's build flags are in .ko.yaml, or --builder-arg --ldflags=…",
		},
		plan: func(r Request, leg Leg) (Build, error) {
			refs := filepath.Join(leg.Dir, "refs")
			argv := []string{"ko", "build", "--bare", "--platform", leg.Platforms.String(), "--tags", leg.tag(), "--image-refs", refs}
			if r.PlainHTTP && !r.Loopback { // loopback it knows by itself; the flag is for base images too
				argv = append(argv, "--insecure-registry")
			}
			argv = append(argv, r.Args...)
			target := r.Target
			if target == "" {
				target = "."
			}
			return Build{
				Steps:   []Step{{Argv: append(argv, target), Dir: r.Context, Env: []string{"KO_DOCKER_REPO=" + r.Image}}},
				Collect: digestInFile(refs), // the index first, then what is in it
			}, nil
		},
	}
}
