package builder

import (
	"path/filepath"

	"github.com/polyarch/polyarch/internal/exit"
)

// Jib builds Java programs without a Dockerfile or an emulator: one call makes
// an index of all platforms. The plugin must be in the project's build file, at
// 3.2.0 or newer. The registry says what it pushed.

// jibMaven runs Maven. --target names a module of a project of several.
func jibMaven() Builder {
	return jib(Builder{Name: "jib-maven", Program: "mvn", Remedy: "install Maven, or add its wrapper, mvnw, to the project",
		signs: []sign{{buildFile, "Maven or Gradle build with jib", func(r Request) string {
			if !r.holds("pom.xml", "jib-maven-plugin") {
				return ""
			}
			return "pom.xml has the jib-maven-plugin"
		}}}},
		func(r Request, leg Leg) []string {
			argv := []string{program(r, "mvnw", "mvn"), "--batch-mode"}
			if r.Target == "" {
				argv = append(argv, "--non-recursive", "prepare-package", "jib:build")
			} else {
				argv = append(argv, "--projects", r.Target, "--also-make", "package", "jib:build", "-Djib.containerize="+r.Target)
			}
			return append(argv, "-Djib.from.platforms="+leg.Platforms.String(), "-Dimage="+leg.Ref)
		})
}

// jibGradle runs Gradle. --target names a project of a build of several, as
// Gradle does: ":server".
func jibGradle() Builder {
	return jib(Builder{Name: "jib-gradle", Program: "gradle", Remedy: "install Gradle, or add its wrapper, gradlew, to the project",
		signs: []sign{{buildFile, "", func(r Request) string {
			const plugin = "com.google.cloud.tools.jib"
			if !r.holds("build.gradle", plugin) && !r.holds("build.gradle.kts", plugin) {
				return ""
			}
			return "the Gradle build has the jib plugin"
		}}}},
		func(r Request, leg Leg) []string {
			return []string{program(r, "gradlew", "gradle"), "--console=plain", r.Target + ":jib",
				"-Djib.from.platforms=" + leg.Platforms.String(), "--image=" + leg.Ref}
		})
}

func jib(b Builder, argv func(Request, Leg) []string) Builder {
	const config = "jib is configured in the project's build file, or with --builder-arg -Djib.NAME=VALUE"
	b.Once = true
	b.pushesOnly, b.secretsByName = true, true
	b.Options = []Option{Target, Secret}
	b.Instead = map[Option]string{Dockerfile: config, BuildArg: config}
	b.plan = func(r Request, leg Leg) (Build, error) {
		for _, p := range leg.Platforms {
			if p.Variant != "" {
				return Build{}, exit.Usagef("building %s with %s: jib knows no variants of an architecture", p, b.Name).
					Hint("build %s with another --builder, and stitch the images", p)
			}
		}
		line := argv(r, leg)
		if r.PlainHTTP {
			line = append(line, "-Djib.allowInsecureRegistries=true", "-DsendCredentialsOverHttp=true")
		}
		return Build{Steps: []Step{{Argv: append(line, r.Args...), Dir: r.Context}}}, nil
	}
	return b
}

// program prefers the project's wrapper, which brings the version it needs.
func program(r Request, wrapper, otherwise string) string {
	if w := filepath.Join(r.Context, wrapper); r.Host.Exists(w) {
		return w
	}
	return otherwise
}
