package builders

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// cloudBuilder is the image that has a step's docker.
const cloudBuilder = "gcr.io/cloud-builders/docker"

// cloudBuild stands in for gcloud and for the service behind it, which takes an account: it runs the commands of a
// build's steps with the lab's docker, in a copy of the context, and pushes its images. A field that the service does not
// have is an error there, and so it is here (cloud.google.com/build/docs/build-config-file-schema).
func cloudBuild(argv []string) error {
	// gcloud builds submit FOLDER --config FILE --format FORMAT
	if len(argv) != 8 || argv[1] != "builds" || argv[2] != "submit" || argv[4] != "--config" || argv[6] != "--format" || argv[7] != "value(results.images[0].digest)" {
		return fmt.Errorf("(gcloud.builds.submit) unrecognized arguments: %q", argv)
	}
	b, err := os.ReadFile(argv[5])
	if err != nil {
		return err
	}
	var build struct {
		Steps []struct {
			Name string   `json:"name"`
			Args []string `json:"args"`
			Env  []string `json:"env"`
		} `json:"steps"`
		Images []string `json:"images"`
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&build); err != nil {
		return fmt.Errorf("INVALID_ARGUMENT: %w", err)
	}
	workspace, err := os.MkdirTemp("", "cloudbuild-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(workspace)
	if err := os.CopyFS(workspace, os.DirFS(argv[3])); err != nil {
		return err
	}
	docker := func(env []string, output io.Writer, args ...string) error {
		cmd := exec.Command("/usr/bin/docker", args...)
		cmd.Dir, cmd.Env = workspace, append(os.Environ(), env...)
		cmd.Stdout, cmd.Stderr = io.MultiWriter(os.Stderr, output), os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
		return cmd.Run()
	}
	for i, s := range build.Steps {
		if s.Name != cloudBuilder {
			return fmt.Errorf("step %d is of the image %s, which is not here", i, s.Name)
		}
		for j, a := range s.Args {
			if regexp.MustCompile(`(^|[^$])\$(\$\$)*[A-Za-z_{]`).MatchString(a) {
				return fmt.Errorf("INVALID_ARGUMENT: %q has a substitution that is not defined", a)
			}
			s.Args[j] = strings.ReplaceAll(a, "$$", "$")
		}
		if slices.Equal(s.Args[:min(4, len(s.Args))], []string{"run", "--privileged", "--rm", "tonistiigi/binfmt"}) && emulated() {
			continue // it registers with the kernel what is registered
		}
		if s.Args[0] == "build" { // the daemon has no network of its own
			s.Args = append([]string{"build", "--network=host"}, s.Args[1:]...)
		}
		if err := docker(s.Env, io.Discard, s.Args...); err != nil {
			return fmt.Errorf("build step %d %q failed: step exited with non-zero status: %w", i, s.Name, err)
		}
	}
	for _, image := range build.Images {
		var output bytes.Buffer
		if err := docker(nil, &output, "push", image); err != nil {
			return fmt.Errorf("failed to push %s: %w", image, err)
		}
		m := regexp.MustCompile(`digest: (sha256:[0-9a-f]{64})`).FindSubmatch(output.Bytes())
		if m == nil {
			return fmt.Errorf("docker push reports no digest of %s", image)
		}
		fmt.Printf("%s\n", m[1])
	}
	return nil
}

// startCloudBuild makes this test program the lab's gcloud.
func startCloudBuild(t *testing.T) {
	startDocker(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(lab, "bin/gcloud")); err != nil {
		t.Fatal(err)
	}
}
