package builder

import "path/filepath"

// buildx runs docker buildx build, or the plugin alone. What it builds with (a
// container, a remote BuildKit, Kubernetes) is the user's choice of a builder
// instance.
func buildx() Builder {
	return Builder{
		Name:     "buildx",
		Program:  "docker",
		Remedy:   "install Docker with its buildx plugin, or use another --builder",
		emulates: true,

		annotates:   true,
		cacheClient: true,
		Options:     []Option{Dockerfile, Target, BuildArg, Label, Secret, CacheFrom, CacheTo},

		clean:  "docker buildx prune",
		daemon: "look at the instances with: docker buildx ls",
		signs: []sign{
			{namedInstance, "", func(r Request) string {
				if r.Host.Getenv("BUILDX_BUILDER") == "" || !r.Host.Look("docker") {
					return ""
				}
				return "BUILDX_BUILDER names an instance of buildx"
			}},
			daemon(sharedDaemon, "docker", "DOCKER_HOST", dockerSocket, ""),
			installed(clientAlone, "buildx", ""),
		},
		plan: func(r Request, leg Leg) (Build, error) {
			argv := []string{"docker", "buildx"}
			if r.Host.Look("buildx") {
				argv = []string{"buildx"}
			}
			metadata := filepath.Join(leg.Dir, "metadata.json")
			output := "type=registry"
			switch {
			case r.Layout:
				output = layoutOutput(leg)
			case r.PlainHTTP:
				output += ",registry.insecure=true"
			}
			argv = append(argv, "build", "--progress=plain", "--platform", leg.Platforms.String(),
				"--tag", leg.Ref, "--output", output, "--metadata-file", metadata)
			argv = append(argv, r.dockerfileFlags("--file")...)
			argv = append(argv, each("--annotation", leg.annotations(r))...)
			argv = append(argv, each("--cache-from", leg.own(r.CacheFrom))...)
			argv = append(argv, each("--cache-to", leg.own(r.CacheTo))...)
			argv = append(argv, r.Args...)
			return Build{
				Steps:   []Step{{Argv: append(argv, r.Context)}},
				Collect: r.collect(leg, digestInMetadata(metadata)),
			}, nil
		},
	}
}
