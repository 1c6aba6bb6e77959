package builder

import (
	"path/filepath"
	"regexp"
)

// dockerSocket is where docker looks by itself.
const dockerSocket = "/var/run/docker.sock"

// pushedLine is the last line of docker push.
var pushedLine = regexp.MustCompile(`: digest: (sha256:[0-9a-f]{64}) size: \d+`)

// docker runs docker build and docker push. BuildKit is requested explicitly:
// the legacy builder silently takes a base image of another platform that it
// happens to have.
func docker() Builder {
	return Builder{
		Name:     "docker",
		Program:  "docker",
		Remedy:   "install Docker, or use another --builder",
		emulates: true,

		cacheClient: true,
		Options:     []Option{Dockerfile, Target, BuildArg, Label, Secret, CacheFrom},
		Instead:     map[Option]string{CacheTo: "docker build has no cache to export to; use --builder buildx"},

		clean: "docker system prune",
		signs: []sign{daemon(sharedDaemon, "docker", "DOCKER_HOST", dockerSocket, "docker daemon")},
		plan: func(r Request, leg Leg) (Build, error) {
			argv := []string{"docker", "build", "--progress=plain", "--platform", leg.Platforms.String(), "--tag", leg.Ref}
			argv = append(argv, r.dockerfileFlags("--file")...)
			argv = append(argv, each("--cache-from", leg.own(r.CacheFrom))...)
			argv = append(argv, r.Args...)
			build := Step{Argv: append(argv, r.Context), Env: []string{"DOCKER_BUILDKIT=1"}}
			if r.Layout { // its own exporter of layouts is there with some of its image stores only
				saved := filepath.Join(leg.Dir, "image.tar")
				return Build{
					Steps:   []Step{build, {Argv: []string{"docker", "save", "--output", saved, leg.Ref}}},
					Collect: func([]string) (Pushed, error) { return putAside(saved, leg.layout()) },
				}, nil
			}
			return Build{
				Steps: []Step{
					build,
					{Argv: []string{"docker", "push", leg.Ref}},
				},
				Collect: digestLine(pushedLine),
			}, nil
		},
	}
}
