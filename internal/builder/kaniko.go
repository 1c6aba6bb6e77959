package builder

import (
	"path/filepath"
	"strings"
)

const kanikoExecutor = "/kaniko/executor"

// kaniko runs the executor of its image, in which this program must run too: it
// unpacks the base image over the root folder and removes it afterwards. So it
// builds one platform at a time, and what must outlive a build is in /kaniko,
// which it leaves alone. It is never given --force.
func kaniko() Builder {
	const inside = "kaniko replaces the files of the machine that it runs on: run stitch-index in kaniko's own image, as a Tekton step does"
	return Builder{
		Name:     "kaniko",
		Program:  kanikoExecutor,
		Remedy:   inside,
		Scratch:  "/kaniko",
		emulates: true,
		Options:  []Option{Dockerfile, Target, BuildArg, Label},
		Instead: map[Option]string{
			CacheFrom: "kaniko has one cache for both ways: --builder-arg --cache=true --builder-arg --cache-repo=REPOSITORY",
			CacheTo:   "kaniko has one cache for both ways: --builder-arg --cache=true --builder-arg --cache-repo=REPOSITORY",
			Secret:    "mount the secret as a file under /kaniko, which a RUN can read",
		},
		alone: func(Host) string { return "kaniko unpacks images over the root folder" },
		signs: []sign{{ownImage, "", func(r Request) string {
			if !r.Host.Exists(kanikoExecutor) {
				return ""
			}
			return "this is kaniko's image"
		}}},
		plan: func(r Request, leg Leg) (Build, error) {
			digest := filepath.Join(leg.Dir, "digest")
			file := r.Dockerfile
			if file == "" {
				file = filepath.Join(r.Context, "Dockerfile")
			}
			argv := []string{kanikoExecutor, "--context", "dir://" + r.Context, "--dockerfile", file,
				"--destination", leg.Ref, "--custom-platform", leg.Platforms.String(), "--digest-file", digest, "--cleanup"}
			if host, _, _ := strings.Cut(r.Image, "/"); r.PlainHTTP {
				argv = append(argv, "--insecure-registry", host, "--skip-tls-verify-registry", host)
			}
			if r.Target != "" {
				argv = append(argv, "--target", r.Target)
			}
			// It does not set the arguments that multi-platform Dockerfiles use.
			target, build := leg.Platforms[0], r.Host.Platform
			for _, a := range []string{
				"TARGETPLATFORM=" + target.String(), "TARGETOS=" + target.OS, "TARGETARCH=" + target.Arch, "TARGETVARIANT=" + target.Variant,
				"BUILDPLATFORM=" + build.String(), "BUILDOS=" + build.OS, "BUILDARCH=" + build.Arch, "BUILDVARIANT=" + build.Variant,
			} {
				if name, _, _ := strings.Cut(a, "="); !r.hasBuildArg(name) {
					argv = append(argv, "--build-arg", a)
				}
			}
			argv = append(argv, each("--build-arg", r.BuildArgs)...)
			argv = append(argv, each("--label", r.Labels)...)
			if r.Layout {
				argv = append(argv, "--no-push", "--oci-layout-path", leg.layout())
			}
			return Build{
				Steps:   []Step{{Argv: append(argv, r.Args...)}},
				Collect: r.collect(leg, digestInFile(digest)),
			}, nil
		},
	}
}
