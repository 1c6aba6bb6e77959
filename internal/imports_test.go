package internal

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/polyarch/polyarch/"

// layers says which packages of this module a package may import, so that the
// graph stays a tree that points one way: cmd, then the packages that do one
// thing each, then the leaves. Tests are not counted.
var layers = map[string][]string{
	// leaves
	"internal/text":       {},
	"internal/exit":       {},
	"internal/atomicfile": {},
	"internal/platform":   {"internal/text"},
	"internal/retry":      {},
	"internal/process":    {},
	"internal/flagset":    {"internal/exit", "internal/text"},
	"internal/imagetest":  {"internal/platform"}, // for tests alone
	"internal/progress":   {"internal/text"},
	// images
	"internal/registry":       {"internal/exit", "internal/retry", "internal/text"},
	"internal/program":        {"internal/platform", "internal/program/loader", "internal/program/object", "internal/program/rootfs"},
	"internal/program/loader": {"internal/program/object", "internal/program/rootfs"},
	"internal/program/object": {"internal/platform"},
	"internal/program/rootfs": {"internal/program/object"},
	"internal/layout":         {"internal/exit"},
	"internal/sbom":           {"internal/platform"},
	"internal/image":          {"internal/exit", "internal/layout", "internal/platform", "internal/registry"},
	"internal/verify":         {"internal/exit", "internal/image", "internal/platform", "internal/program", "internal/program/rootfs"},
	"internal/index":          {"internal/exit", "internal/image", "internal/layout", "internal/platform", "internal/registry", "internal/sbom", "internal/text", "internal/verify"},
	"internal/published":      {"internal/exit", "internal/image", "internal/layout", "internal/platform", "internal/registry", "internal/text", "internal/verify"},
	// building
	"internal/builder":    {"internal/exit", "internal/platform", "internal/process", "internal/text"},
	"internal/artifacts":  {"internal/exit", "internal/platform", "internal/text"},
	"internal/dockerfile": {"internal/platform"},
	"internal/bases":      {"internal/dockerfile", "internal/image", "internal/platform", "internal/registry"},
	// manifests
	"internal/pod":       {},
	"internal/affinity":  {"internal/exit", "internal/platform", "internal/pod"},
	"internal/kubeyaml":  {"internal/exit", "internal/pod", "internal/text"},
	"internal/readiness": {"internal/affinity", "internal/platform", "internal/pod", "internal/text"},
	"internal/policy":    {"internal/exit", "internal/platform"},
	"internal/lookup":    {"internal/exit", "internal/image", "internal/platform", "internal/registry"},
	// what every main shares
	"internal/output":  {"internal/atomicfile", "internal/exit", "internal/flagset", "internal/text"},
	"internal/command": {"internal/atomicfile", "internal/exit", "internal/flagset", "internal/output", "internal/text"},
	// what one binary does
	"internal/cluster":             {"internal/exit", "internal/platform", "internal/pod", "internal/retry", "internal/text"},
	"internal/cluster/clustertest": {}, // for tests
}

// weight says what a binary must not link: a package path, or a prefix that
// ends with "/". It is what keeps the binaries small.
var weight = map[string][]string{
	"cmd/detect-arch": {
		"k8s.io/client-go/kubernetes", "k8s.io/client-go/kubernetes/", "k8s.io/client-go/dynamic", "k8s.io/client-go/discovery", "k8s.io/api/",
		"github.com/google/go-containerregistry/",
	},
	"cmd/stitch-index": {
		"k8s.io/", "gopkg.in/yaml.v3", "github.com/google/go-containerregistry/pkg/v1/remote",
		"github.com/google/go-containerregistry/pkg/v1/google", "github.com/aws/", "github.com/awslabs/", "github.com/Azure/",
		// of BuildKit the Dockerfile's parser alone, with the errors that it links (1.6 MiB)
		"github.com/moby/buildkit/client/", "github.com/moby/buildkit/frontend/dockerfile/instructions", "github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb",
		"github.com/moby/buildkit/solver/", "github.com/moby/moby/", "github.com/moby/docker-image-spec/", "github.com/containerd/containerd/", "github.com/containerd/platforms",
	},
	"cmd/inject-affinity": {"k8s.io/", "github.com/google/go-containerregistry/pkg/v1/remote"},
}

type pkg struct {
	ImportPath, Name string
	Imports, Deps    []string
}

func list(t *testing.T, patterns ...string) []pkg {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-deps=false", "-json=ImportPath,Name,Imports,Deps"}, patterns...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var ps []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

func TestImportsRunOneWay(t *testing.T) {
	for _, p := range list(t, module+"internal/...", module+"cmd/...") {
		from := strings.TrimPrefix(p.ImportPath, module)
		allowed, ok := layers[from]
		if p.Name == "main" || from == "internal" { // a main may import all of internal
			continue
		}
		if !ok {
			t.Errorf("%s has no place in the layers table of this test", from)
		}
		for _, i := range p.Imports {
			if to, ours := strings.CutPrefix(i, module); ours && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s", from, to)
			}
		}
	}
}

func TestWhatBinariesLink(t *testing.T) {
	for main, banned := range weight {
		for _, p := range list(t, module+main) {
			for _, dep := range p.Deps {
				for _, b := range banned {
					if dep == b || strings.HasSuffix(b, "/") && strings.HasPrefix(dep, b) {
						t.Errorf("%s links %s", path.Base(main), dep)
					}
				}
			}
		}
	}
}
