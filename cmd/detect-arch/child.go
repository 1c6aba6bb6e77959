package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/platform"
	"github.com/polyarch/polyarch/internal/text"
)

// gitlabRunners are the tags of GitLab.com's hosted runners; linux without a
// runner of its own is emulated.
// https://docs.gitlab.com/ci/runners/hosted_runners/linux/
var gitlabRunners = []runner{
	{nil, tags{"saas-linux-small-amd64"}},
	{[]string{"linux", "arm64"}, tags{"saas-linux-small-arm64"}},
	{[]string{"linux", "arm"}, tags{"saas-linux-small-arm64"}},
	{[]string{"windows"}, tags{"saas-windows-medium-amd64"}},
}

// buildJob is the hidden job that says what the jobs of the child pipeline do.
const buildJob = ".build-image"

// A child is the part of a child pipeline that is the same for any platforms:
// GitLab CI configuration in which the build job is.
type child []byte

// child reads or makes what the jobs of the child pipeline do; it is nil if
// none is asked for.
func (c *config) child() (child, error) {
	const how = `--child-pipeline build.yml --child-script './build.sh "$PLATFORM"'`
	switch {
	case c.childPipeline == "" && (c.childJob != "" || len(c.childScript) > 0):
		return nil, exit.Usagef("--child-job and --child-script say what the jobs of --child-pipeline do, and there is none").Hint("for example: %s", how)
	case c.childPipeline == "":
		return nil, nil
	case c.childJob == "" && len(c.childScript) == 0:
		return nil, exit.Usagef("--child-pipeline needs to know what its jobs do: --child-job or --child-script").Hint("for example: %s", how)
	case c.childJob != "" && len(c.childScript) > 0:
		return nil, exit.Usagef("--child-job and --child-script both say what the jobs of --child-pipeline do: leave one out")
	case c.childJob != "":
		return readChild(c.childJob)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%s:\n  script:\n", alwaysRun, buildJob)
	for _, line := range c.childScript {
		if text.Clean(line) != line {
			return nil, exit.Usagef("flag --child-script: %q holds a control character", line)
		}
		fmt.Fprintf(&b, "    - %s\n", quote(line))
	}
	return b.Bytes(), nil
}

// maxChild is more than a GitLab CI file may have.
const maxChild = 4 << 20

func readChildFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxChild+1))
	if err == nil && len(b) > maxChild {
		err = fmt.Errorf("it has more than %d MiB", maxChild>>20)
	}
	return b, err
}

func readChild(path string) (child, error) {
	b, err := readChildFile(path)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, exit.Failf("reading %s: %w", path, err)
	}
	var doc map[string]yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&doc); err != nil {
		return nil, exit.Failf("reading %s: %s", path, strings.ReplaceAll(err.Error(), "\n", " ")).Hint("--child-job names a GitLab CI file")
	}
	var more any
	if dec.Decode(&more) == nil {
		return nil, exit.Failf("reading %s: it has more than one document", path).Hint("leave out spec: and ---, which are of a component and not of a pipeline")
	}
	if _, ok := doc[buildJob]; !ok {
		if _, ok := doc["include"]; !ok {
			return nil, exit.Failf("reading %s: it has no job %s, and no include that may have it", path, buildJob).
				Hint("name the hidden job that builds for $PLATFORM %s", buildJob)
		}
	}
	for k := range doc {
		if p, ok := strings.CutPrefix(k, "build "); ok {
			if _, err := platform.Parse(p); err == nil {
				return nil, exit.Failf("reading %s: its job %q has the name of a job for a platform", path, k).Hint("rename it")
			}
		}
	}
	if _, ok := doc["workflow"]; !ok {
		b = append([]byte(alwaysRun), b...)
	}
	return append(bytes.TrimRight(b, "\n"), '\n'), nil
}

// alwaysRun makes the child pipeline of a merge request run: there, jobs
// without rules do not.
// https://docs.gitlab.com/ci/pipelines/downstream_pipelines/#run-child-pipelines-with-merge-request-pipelines
const alwaysRun = "workflow:\n  rules:\n    - when: always\n\n"

// pipeline returns the whole child pipeline, as YAML.
func (c child) pipeline(ps platform.List, rs []runner, optional platform.List) []byte {
	var b bytes.Buffer
	b.WriteString("# Written by detect-arch: a job for each platform.\n")
	b.Write(c)
	for _, p := range ps {
		fmt.Fprintf(&b, "\n%s:\n  extends: %s\n  tags:\n", quote("build "+p.String()), buildJob)
		for _, l := range runnerFor(p, rs, gitlabRunners) {
			fmt.Fprintf(&b, "    - %s\n", quote(l))
		}
		if optional.Covers(p) {
			b.WriteString("  allow_failure: true\n")
		}
		fmt.Fprintf(&b, "  variables:\n    PLATFORM: %s\n    ARCH: %s\n    SLUG: %s\n    PLATFORMS: %s\n",
			quote(p.String()), quote(p.Arch), quote(p.Slug()), quote(ps.String()))
	}
	return b.Bytes()
}

// quote returns text as a YAML string in quotes, which JSON's are too.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(s) // a string always can
	return strings.TrimSpace(b.String())
}
