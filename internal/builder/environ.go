package builder

import (
	"slices"
	"strings"
)

// withheld are the variables by which a CI system passes its own rights to a
// step: where the step's results go, the tokens of the run, and the passwords of
// registries. A build runs the repository's code, and often that of its
// dependencies: it gets none of them, unless --secret or --build-arg names one.
// Sources: docs.github.com/actions/reference/workflows-and-actions/variables and
// docs.gitlab.com/ci/variables/predefined_variables.
var (
	withheld = []string{
		"GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "GITHUB_ARTIFACTS", "GITHUB_TOKEN", "GH_TOKEN",
		"CI_REGISTRY_PASSWORD", "CI_JOB_TOKEN", "CI_BUILD_TOKEN", "CI_DEPLOY_PASSWORD", "CI_DEPENDENCY_PROXY_PASSWORD", "CI_REPOSITORY_URL",
	}
	withheldPrefixes = []string{"ACTIONS_", "INPUT_", "POLYARCH_"}
	// cacheVariables are what BuildKit's clients take type=gha's address and
	// token from (buildx build/opt.go, buildctl build/importcache.go).
	cacheVariables = []string{"ACTIONS_RUNTIME_TOKEN", "ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL", "ACTIONS_CACHE_SERVICE_V2"}
)

// Environ returns what the commands of b see of the environment.
func (b Builder) Environ(environ []string, r Request) []string {
	given := r.named()
	if b.cacheClient && slices.ContainsFunc(append(slices.Clone(r.CacheFrom), r.CacheTo...), isGitHubCache) {
		given = append(given, cacheVariables...)
	}
	var seen []string
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		// Windows ignores case in a variable's name
		upper := strings.ToUpper(name)
		hidden := slices.Contains(withheld, upper) || slices.ContainsFunc(withheldPrefixes, func(p string) bool { return strings.HasPrefix(upper, p) }) ||
			b.Program == "" && upper == "DOCKER_AUTH_CONFIG" // docker and similar tools log in with it
		if !hidden || slices.Contains(given, name) {
			seen = append(seen, v)
		}
	}
	return seen
}

func isGitHubCache(cache string) bool {
	return slices.Contains(strings.Split(cache, ","), "type=gha")
}

// secretFiles returns the files of secrets to a builder without mounts for them:
// NPM_TOKEN_FILE names the file of id=npm-token.
func (r Request) secretFiles() []string {
	var env []string
	for _, s := range r.Secrets {
		id, file := "", ""
		for _, field := range strings.Split(s, ",") {
			switch key, value, _ := strings.Cut(field, "="); key {
			case "id":
				id = value
			case "src", "source":
				file = value
			}
		}
		if id != "" && file != "" {
			env = append(env, variableName(id)+"_FILE="+file)
		}
	}
	return env
}

// variableName returns id as a variable is written.
func variableName(id string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return c - 'a' + 'A'
		case c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
			return c
		}
		return '_'
	}, id)
}

// named returns the variables that the user names, in secrets and arguments.
func (r Request) named() []string {
	var names []string
	for _, s := range r.Secrets {
		id, source := "", false
		for _, field := range strings.Split(s, ",") {
			switch key, value, _ := strings.Cut(field, "="); key {
			case "id":
				id = value
			case "env":
				names, source = append(names, value), true
			case "src", "source":
				source = true
			}
		}
		if id != "" && !source { // buildx looks for a variable of the secret's name first
			names = append(names, id)
		}
	}
	for _, a := range r.BuildArgs {
		if !strings.Contains(a, "=") {
			names = append(names, a)
		}
	}
	return names
}

// StepEnviron returns what a step of a CI system sees of the environment, which
// may hold more: what the wrappers pass to this program, and the token of the
// run's cache.
func StepEnviron(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		upper := strings.ToUpper(name)
		return slices.Contains(cacheVariables, upper) || strings.HasPrefix(upper, "INPUT_") || strings.HasPrefix(upper, "POLYARCH_")
	})
}
