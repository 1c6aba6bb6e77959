// Package inject_test runs inject-affinity where users run it: as a post-renderer of Helm 3 and 4, as
// a transformer of kustomize, as Argo CD's plugin; and shows the result to the real scheduler.
package inject_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

func repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// program builds inject-affinity into a folder that it puts first in PATH.
func program(t *testing.T) string {
	t.Helper()
	path := tool.Ours(t, "inject-affinity")
	t.Setenv("PATH", filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"))
	return path
}

// run returns what a command prints on standard output; it must succeed.
func run(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	out, errs, err := try(stdin, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs)
	}
	return out
}

func try(stdin, name string, args ...string) (out, errs string, err error) {
	var o, e bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

// An object is what the tests look at in a manifest.
type object struct {
	Kind     string
	Metadata struct {
		Name        string
		Annotations map[string]string
	}
	Spec struct{ Template template }
}

type template struct {
	Spec struct {
		Containers []struct{ Image string }
		Affinity   struct {
			NodeAffinity struct {
				Required struct {
					NodeSelectorTerms []struct {
						MatchExpressions []struct {
							Key, Operator string
							Values        []string
						} `yaml:"matchExpressions"`
					} `yaml:"nodeSelectorTerms"`
				} `yaml:"requiredDuringSchedulingIgnoredDuringExecution"`
			} `yaml:"nodeAffinity"`
		}
	}
}

// pinned returns OS and architectures of the first term, "linux amd64,arm64", or "".
func (o object) pinned() string {
	var words []string
	for _, term := range o.Spec.Template.Spec.Affinity.NodeAffinity.Required.NodeSelectorTerms {
		for _, e := range term.MatchExpressions {
			words = append(words, strings.Join(e.Values, ","))
		}
	}
	return strings.Join(words, " ")
}

// objects decodes a stream, by "Kind name".
func objects(t *testing.T, stream string) map[string]object {
	t.Helper()
	all := map[string]object{}
	dec := yaml.NewDecoder(strings.NewReader(stream))
	for {
		var o object
		if err := dec.Decode(&o); err != nil {
			if err.Error() == "EOF" {
				return all
			}
			t.Fatalf("%v in\n%s", err, stream)
		}
		all[o.Kind+" "+o.Metadata.Name] = o
	}
}

// onlyAdds checks that a text became another by added lines and new images.
func onlyAdds(t *testing.T, before, after string) {
	t.Helper()
	rest := strings.Split(after, "\n")
	for line := range strings.Lines(before) {
		line = strings.TrimSuffix(line, "\n")
		found := false
		for len(rest) > 0 && !found {
			isImage := strings.Contains(line, "image:") && strings.Contains(rest[0], "image:")
			found = rest[0] == line || isImage
			rest = rest[1:]
		}
		if !found {
			t.Fatalf("line %q is lost in\n%s", line, after)
		}
	}
}

const (
	built  = "--image=hello=ghcr.io/me/hello:v1;linux/amd64,linux/arm64"
	pinned = "linux amd64,arm64"
)
