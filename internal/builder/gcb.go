package builder

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/polyarch/polyarch/internal/exit"
)

const (
	gcbDocker   = "gcr.io/cloud-builders/docker"
	gcbEmulator = "tonistiigi/binfmt" // registers QEMU with the kernel of the build's machine
)

// gcbDigest is what gcloud prints last with the format that it is asked for.
var gcbDigest = regexp.MustCompile(`^(sha256:[0-9a-f]{64})$`)

// gcb submits the context to Google Cloud Build, whose machines are amd64: for
// any other platform they get an emulator first.
func gcb() Builder {
	return Builder{
		Name:    "gcb",
		Program: "gcloud",
		Remedy:  "install the Google Cloud CLI: cloud.google.com/sdk/docs/install",
		Options: []Option{Dockerfile, Target, BuildArg},

		pushesOnly: true,
		Instead:    map[Option]string{Secret: "Cloud Build has secrets of its own: cloud.google.com/build/docs/securing-builds/use-secrets"},

		login: "gcloud auth login; the build's service account has to be allowed to push to ",
		plan: func(r Request, leg Leg) (Build, error) {
			if r.PlainHTTP {
				return Build{}, exit.Usagef("building with gcb: Cloud Build pushes to registries that speak TLS, and %s is reached over plain HTTP", r.Image)
			}
			config, err := cloudBuild(r, leg)
			if err != nil {
				return Build{}, err
			}
			argv := []string{"gcloud", "builds", "submit", r.Context, "--config", filepath.Join(leg.Dir, "cloudbuild.json"),
				"--format", "value(results.images[0].digest)"}
			return Build{
				Files:   map[string][]byte{"cloudbuild.json": config},
				Steps:   []Step{{Argv: append(argv, r.Args...)}},
				Collect: digestLine(gcbDigest),
			}, nil
		},
	}
}

// cloudBuild writes a build config (cloud.google.com/build/docs/build-config-file-schema).
func cloudBuild(r Request, leg Leg) ([]byte, error) {
	type step struct {
		Name string   `json:"name"`
		Args []string `json:"args"`
		Env  []string `json:"env,omitempty"`
	}
	file := "Dockerfile"
	if r.Dockerfile != "" {
		rel, err := filepath.Rel(r.Context, r.Dockerfile)
		if err != nil || !filepath.IsLocal(rel) {
			return nil, exit.Usagef("flag --dockerfile: Cloud Build sees only the context, and %s is outside of it", r.Dockerfile)
		}
		file = filepath.ToSlash(rel)
	}
	p := leg.Platforms[0]
	var steps []step
	if p.OS != "linux" || p.Arch != "amd64" && p.Arch != "386" {
		steps = append(steps, step{Name: gcbDocker, Args: []string{"run", "--privileged", "--rm", gcbEmulator, "--install", p.Arch}})
	}
	args := []string{"build", "--progress=plain", "--platform", p.String(), "--tag", leg.Ref, "--file", file}
	if r.Target != "" {
		args = append(args, "--target", r.Target)
	}
	for _, a := range r.BuildArgs {
		if !strings.Contains(a, "=") {
			a += "=" + r.Host.Getenv(a)
		}
		args = append(args, "--build-arg", strings.ReplaceAll(a, "$", "$$")) // "$" starts a substitution there
	}
	steps = append(steps, step{Name: gcbDocker, Args: append(args, "."), Env: []string{"DOCKER_BUILDKIT=1"}})
	return json.MarshalIndent(map[string]any{"steps": steps, "images": []string{leg.Ref}}, "", "  ")
}
