package inject_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/test/e2e/cluster"
	"github.com/polyarch/polyarch/test/e2e/tool"
)

// helmHome keeps Helm away from the user's files.
func helmHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	for _, name := range []string{"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"} {
		t.Setenv(name, filepath.Join(home, name))
	}
	return home
}

func TestHelm3PostRenderer(t *testing.T) {
	program(t)
	helm := tool.Build(t, tool.Helm3)
	helmHome(t)
	plain := run(t, "", helm, "template", "web", "testdata/chart")
	got := run(t, "", helm, "template", "web", "testdata/chart", "--post-renderer", "inject-affinity", "--post-renderer-args", built, "--post-renderer-args", "--offline")
	o := objects(t, got)
	if p := o["Deployment web"].pinned(); p != pinned {
		t.Errorf("the Deployment is pinned to %q", p)
	}
	if image := o["Deployment web"].Spec.Template.Spec.Containers[0].Image; image != "ghcr.io/me/hello:v1" {
		t.Errorf("the Deployment's image is %s", image)
	}
	if p := o["Job web-migrate"].pinned(); p != "" {
		t.Errorf("Helm 3 passed a hook, which is pinned to %q", p)
	}
	onlyAdds(t, plain, got)

	_, errs, err := try("", helm, "template", "web", "testdata/chart", "--set", "image=other", "--post-renderer", "inject-affinity", "--post-renderer-args", "--offline")
	if err == nil || !strings.Contains(errs, "the platforms of image other are not known") {
		t.Errorf("an unknown image: %v\n%s", err, errs)
	}
}

func TestHelm4Plugin(t *testing.T) {
	program(t)
	helm := tool.Build(t, tool.Helm4)
	home := helmHome(t)
	run(t, "", helm, "plugin", "install", filepath.Join(repository(), "catalog", "helm", "inject-affinity"))
	plain := run(t, "", helm, "template", "web", "testdata/chart")
	report := filepath.Join(home, "report.json")
	argv := []string{"template", "web", "testdata/chart", "--post-renderer", "inject-affinity", "--post-renderer-args", "--offline", "--post-renderer-args", "--report-file=" + report}
	got := run(t, "", helm, append(argv, "--post-renderer-args", built)...)
	before, o := objects(t, plain), objects(t, got)
	for _, name := range []string{"Deployment web", "Job web-migrate"} { // Helm 4 passes hooks
		if p := o[name].pinned(); p != pinned {
			t.Errorf("the %s is pinned to %q", name, p)
		}
		if len(o[name].Metadata.Annotations) != len(before[name].Metadata.Annotations) {
			t.Errorf("the %s has the annotations %v", name, o[name].Metadata.Annotations)
		}
	}
	if len(o) != len(before) {
		t.Errorf("there are %d objects, without the plugin %d", len(o), len(before))
	}
	if r := readReport(t, report); r.Changed != 2 || r.Error != "" {
		t.Errorf("the report says %+v", r)
	}

	// Helm shows nothing of what went wrong; the report does.
	out, errs, err := try("", helm, append(argv, "--set", "image=other")...)
	if err == nil || out != "" {
		t.Errorf("an unknown image: %v\n%s", err, out)
	}
	if r := readReport(t, report); !strings.Contains(r.Error, "the platforms of image other are not known") || strings.Contains(errs, "not known") {
		t.Errorf("the report says %+v, Helm says %s", r, errs)
	}

	// A real API server takes the result.
	c := cluster.Shared(t)
	c.Apply(t, c.Namespace(t), got)
}

type report struct {
	Changed int
	Error   string
}

func readReport(t *testing.T, path string) (r report) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}
