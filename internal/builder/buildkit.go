package builder

import (
	"path/filepath"
	"strings"
)

const (
	buildkitSocket = "/run/buildkit/buildkitd.sock" // where buildctl looks by itself
	daemonless     = "buildctl-daemonless.sh"       // of BuildKit's image: a daemon for one build
)

// buildkit runs buildctl with the daemon at BUILDKIT_HOST or the usual socket.
// If there is neither, BuildKit's own script starts a daemon for each call;
// these share a state folder, which only one at a time can lock.
func buildkit() Builder {
	return Builder{
		Name:     "buildkit",
		Program:  "buildctl",
		Remedy:   "install BuildKit, or run in its image, moby/buildkit",
		emulates: true,

		annotates:   true,
		cacheClient: true,
		Options:     []Option{Dockerfile, Target, BuildArg, Label, Secret, CacheFrom, CacheTo},
		alone: func(h Host) string {
			if buildctl(h) != daemonless {
				return ""
			}
			return "each build has a daemon of its own, and one at a time can have BuildKit's state folder"
		},

		clean: "buildctl prune",
		signs: []sign{
			daemon(namedDaemon, "buildctl", "BUILDKIT_HOST", buildkitSocket, "BuildKit daemon"),
			{clientAlone, "", func(r Request) string {
				if buildctl(r.Host) != daemonless {
					return ""
				}
				return daemonless + " is installed"
			}},
		},
		plan: func(r Request, leg Leg) (Build, error) {
			metadata := filepath.Join(leg.Dir, "metadata.json")
			folder, name := r.Context, "Dockerfile"
			if r.Dockerfile != "" {
				folder, name = filepath.Split(r.Dockerfile)
				folder = filepath.Clean(folder)
			}
			output := "type=image,name=" + leg.Ref + ",push=true"
			switch {
			case r.Layout:
				output = layoutOutput(leg)
			case r.PlainHTTP:
				output += ",registry.insecure=true"
			}
			for _, a := range leg.annotations(r) {
				output += "," + csv("annotation."+a)
			}
			argv := []string{buildctl(r.Host), "build", "--progress=plain", "--frontend", "dockerfile.v0",
				"--local", "context=" + r.Context, "--local", "dockerfile=" + folder,
				"--opt", "filename=" + name, "--opt", "platform=" + leg.Platforms.String(),
				"--output", output, "--metadata-file", metadata}
			if r.Target != "" {
				argv = append(argv, "--opt", "target="+r.Target)
			}
			var hidden []string
			for _, a := range r.BuildArgs {
				word := "build-arg:" + a
				if !strings.Contains(a, "=") {
					word += "=" + r.Host.Getenv(a)
					hidden = append(hidden, word)
				}
				argv = append(argv, "--opt", word)
			}
			for _, l := range r.Labels {
				argv = append(argv, "--opt", "label:"+l)
			}
			argv = append(argv, each("--secret", r.Secrets)...)
			argv = append(argv, each("--import-cache", registryCache(leg.own(r.CacheFrom)))...)
			argv = append(argv, each("--export-cache", registryCache(leg.own(r.CacheTo)))...)
			return Build{
				Steps:   []Step{{Argv: append(argv, r.Args...), Hidden: hidden}},
				Collect: r.collect(leg, digestInMetadata(metadata)),
			}, nil
		},
	}
}

func buildctl(h Host) string {
	if h.Getenv("BUILDKIT_HOST") == "" && !h.Exists(buildkitSocket) && h.Look(daemonless) {
		return daemonless
	}
	return "buildctl"
}

// registryCache expands buildx's short form, a reference alone.
func registryCache(caches []string) []string {
	var long []string
	for _, c := range caches {
		if !strings.Contains(c, "=") {
			c = "type=registry,ref=" + c
		}
		long = append(long, c)
	}
	return long
}
