package tasks

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
)

// categories are those of the Tekton catalogue
// (github.com/tektoncd/hub/blob/main/config.yaml).
var categories = []string{
	"Automation", "Build Tools", "CLI", "Cloud", "Code Quality", "Continuous Integration", "Deployment", "Developer Tools",
	"Git", "Image Build", "Integration & Delivery", "Kubernetes", "Language", "Messaging", "Monitoring", "Networking",
	"Openshift", "Operations", "Performance", "Publishing", "Security", "Storage", "Testing",
}

// platforms are those that Tekton's own entrypoint has, which every step runs.
var platforms = []string{"linux/amd64", "linux/arm64", "linux/ppc64le", "linux/s390x"}

var semver = regexp.MustCompile(`^\d+\.\d+\.\d+$`)

// TestMetadata checks what a catalogue lists a Task or a Pipeline by.
func TestMetadata(t *testing.T) {
	for _, d := range documents(t) {
		var description string
		switch o := d.object.(type) {
		case *v1.Task:
			description = o.Spec.Description
		case *v1.Pipeline:
			description = o.Spec.Description
		default:
			continue
		}
		if d.meta.Name != d.folder() || d.meta.Name+".yaml" != filepath.Base(d.path) {
			t.Errorf("%s: %s %s: folder, file and name differ", d.path, d.kind, d.meta.Name)
		}
		if d.meta.Namespace != "" {
			t.Errorf("%s: it names a namespace", d.path)
		}
		a := d.meta.Annotations
		if v := d.meta.Labels["app.kubernetes.io/version"]; !semver.MatchString(v) {
			t.Errorf("%s: app.kubernetes.io/version is %q", d.path, v)
		}
		if v := a["tekton.dev/pipelines.minVersion"]; !semver.MatchString(v) {
			t.Errorf("%s: tekton.dev/pipelines.minVersion is %q", d.path, v)
		}
		for _, c := range strings.Split(a["tekton.dev/categories"], ", ") {
			if !slices.Contains(categories, c) {
				t.Errorf("%s: %q is no category", d.path, c)
			}
		}
		for _, p := range strings.Split(a["tekton.dev/platforms"], ",") {
			if !slices.Contains(platforms, p) {
				t.Errorf("%s: tekton.dev/platforms: %q", d.path, p)
			}
		}
		if a["tekton.dev/tags"] == "" || a["tekton.dev/displayName"] == "" {
			t.Errorf("%s: tekton.dev/tags or tekton.dev/displayName is missing", d.path)
		}
		summary, rest, _ := strings.Cut(description, "\n")
		if summary == "" || len(summary) > 80 || !strings.HasSuffix(summary, ".") || rest != "" && !strings.HasPrefix(rest, "\n") && strings.TrimSpace(rest) != "" {
			t.Errorf("%s: the description starts with %q, want a sentence on a line of its own and a blank line", d.path, summary)
		}
	}
}

// ours is how a document names a version of ours.
var ours = regexp.MustCompile(`polyarch/polyarch(?://[a-z/-]+\?ref=|/)v(\d[0-9.]*\d)`)

// TestOneVersion: label and image of every resource, and the commands in the
// documents, say the same version; a release changes all of them at once
// (hack/freeze.sh).
func TestOneVersion(t *testing.T) {
	versions := map[string][]string{}
	for _, d := range documents(t) {
		if v := d.meta.Labels["app.kubernetes.io/version"]; v != "" {
			versions[v] = append(versions[v], d.path)
		}
		spec, _ := d.task()
		for _, s := range spec.Steps {
			if rest, is := strings.CutPrefix(s.Image, imageRepository); is {
				_, v, _ := strings.Cut(rest, ":v")
				versions[v] = append(versions[v], d.path)
			}
		}
	}
	for _, pattern := range []string{"*.md", "*/*.md", "../catalog/pipeline/*/*.md", "../docs/tekton.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range ours.FindAllStringSubmatch(string(text), -1) {
				versions[m[1]] = append(versions[m[1]], p)
			}
		}
	}
	if len(versions) != 1 {
		t.Errorf("there are several versions: %v", versions)
	}
}

// image is a host with a path and a tag.
var image = regexp.MustCompile(`^[a-z0-9.-]+\.[a-z]+/[a-z0-9./_-]+:v?\d[A-Za-z0-9._-]*$`)

// TestImages: qualified and tagged, never latest; the ones that are not ours
// can be exchanged, for a mirror.
func TestImages(t *testing.T) {
	for _, d := range documents(t) {
		var params v1.ParamSpecs
		if p, ok := d.object.(*v1.Pipeline); ok {
			params = p.Spec.Params
		} else if spec, ok := d.task(); ok {
			params = spec.Params
		}
		for _, spec := range d.tasks() {
			for _, s := range spec.Steps {
				if s.Ref != nil {
					continue
				}
				reference := s.Image
				if name, isParam := strings.CutPrefix(s.Image, "$(params."); isParam {
					i := slices.IndexFunc(params, func(p v1.ParamSpec) bool { return p.Name == strings.TrimSuffix(name, ")") && p.Default != nil })
					if i >= 0 {
						reference = params[i].Default.StringVal
					}
				} else if !strings.HasPrefix(s.Image, imageRepository) {
					t.Errorf("%s: step %s: %s is neither ours nor a param", d.path, s.Name, s.Image)
				}
				if !image.MatchString(reference) {
					t.Errorf("%s: step %s: image %q is not HOST/PATH:VERSION", d.path, s.Name, reference)
				}
			}
		}
	}
}

// rootless are the steps that make a user namespace, for which the restricted
// profile has no room, and write wherever a builder writes: by file and name.
var rootless = []string{"tasks/build-image/build-image.yaml build", "tasks/build-image/stepaction.yaml build-image"}

// TestSteps checks what a step may do: Kubernetes' restricted profile
// (kubernetes.io/docs/concepts/security/pod-security-standards), a read-only
// root, no script into which a param could be written, no secret in the
// environment.
func TestSteps(t *testing.T) {
	for _, d := range documents(t) {
		for _, spec := range d.tasks() {
			for _, s := range spec.Steps {
				if s.Ref == nil {
					checkStep(t, d, s)
				}
			}
		}
	}
}

func checkStep(t *testing.T, d document, s v1.Step) {
	t.Helper()
	where := d.path + ": step " + s.Name
	if s.Script != "" {
		t.Errorf("%s has a script", where)
	}
	for _, e := range s.Env {
		if e.ValueFrom != nil {
			t.Errorf("%s: %s does not show its value", where, e.Name)
		}
	}
	if d.kind != "StepAction" && (s.ComputeResources.Requests.Memory().IsZero() || s.ComputeResources.Requests.Cpu().IsZero()) {
		t.Errorf("%s asks for no memory or no CPU", where)
	}
	sc := s.SecurityContext
	if sc == nil || sc.RunAsNonRoot == nil || !*sc.RunAsNonRoot || sc.RunAsUser == nil || *sc.RunAsUser == 0 ||
		sc.Capabilities == nil || !slices.Equal(sc.Capabilities.Drop, []corev1.Capability{"ALL"}) || sc.Privileged != nil {
		t.Errorf("%s: it is not held to a user without capabilities", where)
		return
	}
	if slices.Contains(rootless, d.path+" "+s.Name) {
		return
	}
	if sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation || sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem ||
		sc.SeccompProfile == nil || sc.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || len(sc.Capabilities.Add) > 0 {
		t.Errorf("%s: it is not restricted, or can write to its root", where)
	}
}

// TestWorkspaces: credentials are optional and cannot be written.
func TestWorkspaces(t *testing.T) {
	for _, d := range documents(t) {
		task, ok := d.object.(*v1.Task)
		if !ok {
			continue
		}
		for _, w := range task.Spec.Workspaces {
			if secret := w.Name == "kubeconfig" || w.Name == "dockerconfig"; secret && (!w.Optional || !w.ReadOnly) {
				t.Errorf("%s: workspace %s is not optional and read-only", d.path, w.Name)
			}
			if w.Description == "" {
				t.Errorf("%s: workspace %s has no description", d.path, w.Name)
			}
		}
	}
}

// TestEveryTaskHasItsFiles: a README, a sample, and for a Task its StepAction.
func TestEveryTaskHasItsFiles(t *testing.T) {
	has := map[string]bool{}
	all := documents(t)
	for _, d := range all {
		has[filepath.ToSlash(filepath.Dir(d.path))+" "+d.kind] = true
	}
	for _, d := range all {
		if d.kind != "Task" && d.kind != "Pipeline" {
			continue
		}
		dir := filepath.ToSlash(filepath.Dir(d.path))
		if _, err := os.Stat(filepath.Join("..", dir, "README.md")); err != nil {
			t.Errorf("%s: there is no README.md beside it", d.path)
		}
		if !has[dir+"/samples "+d.kind+"Run"] {
			t.Errorf("%s: there is no sample beside it", d.path)
		}
		if d.kind == "Task" && !has[dir+" StepAction"] {
			t.Errorf("%s: there is no StepAction beside it", d.path)
		}
	}
}
