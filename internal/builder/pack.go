package builder

import (
	"regexp"
	"strings"
)

// publishedLine is the lifecycle's line after an export to a registry.
var publishedLine = regexp.MustCompile(`\*\*\* Images \((sha256:[0-9a-f]{64})\)`)

// pack runs Cloud Native Buildpacks. The builder image decides the platform:
// one that has a single architecture always builds for that, and exits 0; the
// check of the pushed image refuses the result.
func pack() Builder {
	return Builder{
		Name:    "pack",
		Program: "pack",
		Remedy:  "install pack: buildpacks.io/docs/for-platform-operators/how-to/integrate-ci/pack",
		Options: []Option{Secret},

		pushesOnly:    true,
		secretsByName: true,
		Instead: map[Option]string{
			BuildArg:  "buildpacks read variables: --builder-arg --env=NAME=VALUE",
			CacheFrom: "--builder-arg --cache-image=REFERENCE", CacheTo: "--builder-arg --cache-image=REFERENCE",
			Dockerfile: "buildpacks need no Dockerfile",
		},

		alone: func(Host) string { return "Docker keeps one image under the name of the builder image" },
		clean: "docker system prune",
		signs: []sign{{ownFile, "project.toml", func(r Request) string {
			if !r.holds("project.toml", "buildpacks") {
				return ""
			}
			return "project.toml names buildpacks"
		}}},
		plan: func(r Request, leg Leg) (Build, error) {
			argv := []string{"pack", "build", leg.Ref, "--path", r.Context, "--platform", leg.Platforms.String(), "--publish", "--no-color"}
			if host, _, _ := strings.Cut(r.Image, "/"); r.PlainHTTP && !r.Loopback {
				argv = append(argv, "--insecure-registry", host)
			}
			return Build{
				Steps:   []Step{{Argv: append(argv, r.Args...)}},
				Collect: digestLine(publishedLine),
			}, nil
		},
	}
}
