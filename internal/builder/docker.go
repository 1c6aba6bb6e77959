package builder

import "regexp"

// pushedLine is the last line of docker push.
var pushedLine = regexp.MustCompile(`: digest: (sha256:[0-9a-f]{64}) size: \d+`)

// docker runs docker build and docker push. BuildKit is asked for by name: the
// legacy builder takes a base image of another platform that it happens to
// have, and says nothing.
func docker() Builder {
	return Builder{
		Name:     "docker",
		Program:  "docker",
		Remedy:   "install Docker, or use another --builder",
		emulates: true,
		Options:  []Option{Dockerfile, Target, BuildArg, Secret, CacheFrom},
		Instead:  map[Option]string{CacheTo: "docker build has no cache to export to; use --builder buildx"},
		plan: func(r Request, leg Leg) (Build, error) {
			argv := []string{"docker", "build", "--progress=plain", "--platform", leg.Platforms.String(), "--tag", leg.Ref}
			argv = append(argv, r.dockerfileFlags("--file")...)
			argv = append(argv, each("--cache-from", leg.cache(r.CacheFrom))...)
			argv = append(argv, r.Args...)
			return Build{
				Steps: []Step{
					{Argv: append(argv, r.Context), Env: []string{"DOCKER_BUILDKIT=1"}},
					{Argv: []string{"docker", "push", leg.Ref}},
				},
				Collect: digestLine(pushedLine),
			}, nil
		},
	}
}
