package main

import (
	"path/filepath"
	"strings"

	"github.com/polyarch/polyarch/internal/bases"
	"github.com/polyarch/polyarch/internal/builder"
)

// settingsOf returns the file that says what a builder without a Dockerfile
// builds on.
func settingsOf(tool builder.Builder, r builder.Request) basesFile {
	parse := map[string]func(string, builder.Request) (*bases.Base, error){
		"ko":         koBase,
		"jib-maven":  func(text string, r builder.Request) (*bases.Base, error) { return bases.JibMaven(text, r.Platforms) },
		"jib-gradle": func(text string, r builder.Request) (*bases.Base, error) { return bases.JibGradle(text, r.Platforms) },
	}[tool.Name]
	for _, file := range settingsFiles(tool.Name, r) {
		if path := filepath.Join(r.Context, file); r.Host.Exists(path) {
			return basesFile{path, func(path string, r builder.Request) ([]bases.Base, []string, error) {
				b, err := parse(r.Host.Read(path), r)
				if err != nil || b == nil {
					return nil, nil, err
				}
				return []bases.Base{*b}, nil, nil
			}}
		}
	}
	return basesFile{}
}

// settingsFiles are where the settings may be, the first that exists.
func settingsFiles(tool string, r builder.Request) []string {
	switch tool {
	case "ko":
		if r.Host.Getenv("KO_CONFIG_PATH") == "" && r.Host.Getenv("KO_DEFAULTBASEIMAGE") == "" {
			return []string{".ko.yaml"}
		}
	case "jib-maven": // of the module, if --target names one by its folder
		return []string{filepath.Join(filepath.FromSlash(r.Target), "pom.xml"), "pom.xml"}
	case "jib-gradle": // of the project, :server
		project := filepath.FromSlash(strings.ReplaceAll(strings.Trim(r.Target, ":"), ":", "/"))
		return []string{filepath.Join(project, "build.gradle"), filepath.Join(project, "build.gradle.kts"), "build.gradle", "build.gradle.kts"}
	}
	return nil
}

func koBase(text string, r builder.Request) (*bases.Base, error) {
	return bases.Ko(text, bases.ImportPath(r.Host.Read(filepath.Join(r.Context, "go.mod")), r.Target), r.Platforms)
}
